"""ResNet without its classifier: the features of four levels, as trunks of pose networks take them.

He et al.: "Deep Residual Learning for Image Recognition" (CVPR 2016), with the stride in the 3x3 convolution, as the
networks that SimpleBaseline and others start from have it. Shapes in the comments are for 256 x 192; B is left out.
"""

from keras import layers

from tfpose.models import blocks


def resnet(x, depths, width, *, name="resnet"):
    """Return the levels of a normalised photo `x`, at stride 4, 8, 16, 32, of `4 * width` channels and twice as many.

    `depths` are the numbers of bottlenecks a level: (3, 4, 6, 3) for ResNet-50, (3, 4, 23, 3) for 101, (3, 8, 36, 3)
    for 152, all with width 64.
    """
    x = blocks.conv_bn_relu(x, width, 7, stride=2, name=f"{name}_stem")  # 128x96x64
    # What is padded is never the largest: everything is at least zero here.
    x = layers.ZeroPadding2D(1, name=f"{name}_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x)  # 64x48x64
    levels = []
    for n, depth in enumerate(depths):
        for b in range(depth):
            stride = 2 if n > 0 and b == 0 else 1
            x = blocks.bottleneck(x, width << n, stride=stride, name=f"{name}_level{n + 1}_block{b + 1}")
        levels.append(x)  # 64x48x256, 32x24x512, 16x12x1024, 8x6x2048
    return levels
