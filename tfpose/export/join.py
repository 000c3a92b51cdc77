"""Two .tflite files -> one: the second reads what the first gives, and both stay as they were, quantized or not."""

from ai_edge_litert import schema_py_generated as schema

from tfpose.export import flatbuffer


def joined(first: bytes, second: bytes, bound: dict[str, str] | None = None) -> bytes:
    """The file with the inputs of the first and the outputs of the second, whose inputs the first gives or has too.

    Both have one signature; tensors are bound by its names, and where `bound` has an input of the second, by the name
    there. ValueError where the first has nothing of that name, or of another shape or type.
    """
    model, other = flatbuffer.read(first), flatbuffer.read(second)
    (signature,), (added,) = model.signatureDefs, other.signatureDefs
    wanted = {(bound or {}).get(name, name): i for name, i in _named(added.inputs).items()}
    given = _named(signature.inputs) | _named(signature.outputs)
    _shift(other, model, added.subgraphIndex)
    graph, more = model.subgraphs[signature.subgraphIndex], other.subgraphs[added.subgraphIndex]
    places = _places(graph, more, given, wanted)
    graph.tensors += [more.tensors[i] for i, place in enumerate(places) if place >= len(graph.tensors)]
    for operation in more.operators:
        # Where an operation could have an input and has none it reads -1.
        operation.inputs, operation.outputs = ([p if p < 0 else places[p] for p in o] for o in _ends(operation))
    graph.operators += more.operators
    graph.outputs = [places[i] for i in more.outputs]
    for output in added.outputs:
        output.tensorIndex = places[output.tensorIndex]
    signature.outputs = added.outputs
    model.subgraphs += [g for i, g in enumerate(other.subgraphs) if i != added.subgraphIndex]
    model.operatorCodes += other.operatorCodes
    model.buffers += other.buffers[1:]
    return flatbuffer.pack(model)


def outputs(content: bytes) -> dict[str, tuple[int, ...]]:
    """The names and shapes of what a file with one signature gives."""
    model = flatbuffer.read(content)
    (signature,) = model.signatureDefs
    tensors = model.subgraphs[signature.subgraphIndex].tensors
    return {name: tuple(tensors[i].shape) for name, i in _named(signature.outputs).items()}


def _named(tensors: list) -> dict[str, int]:
    return {t.name.decode(): t.tensorIndex for t in tensors}


def _ends(operation: schema.OperatorT) -> tuple:
    return operation.inputs, operation.outputs


def _shift(other: schema.ModelT, model: schema.ModelT, main: int) -> None:
    """Counts what the other refers to from the end of the model's lists on."""
    others = [i for i in range(len(other.subgraphs)) if i != main]
    graphs = {i: len(model.subgraphs) + place for place, i in enumerate(others)}
    for graph in other.subgraphs:
        for tensor in graph.tensors:
            # The first buffer is the empty one, of tensors that are computed.
            tensor.buffer += len(model.buffers) - 1 if tensor.buffer else 0
        for operation in graph.operators:
            operation.opcodeIndex += len(model.operatorCodes)
            options = vars(operation.builtinOptions) if operation.builtinOptions else {}
            # A loop's condition and body are graphs of their own.
            options.update({name: graphs[i] for name, i in options.items() if name.endswith("SubgraphIndex")})


def _places(graph: schema.SubGraphT, more: schema.SubGraphT, given: dict, wanted: dict) -> list[int]:
    """Where each tensor of the second graph is in the first: an output of it, or one that is added."""
    bound = {}
    for name, i in wanted.items():
        if name not in given:
            raise ValueError(f"{name}: no such output of the network, which has {', '.join(given)}")
        found, expected = graph.tensors[given[name]], more.tensors[i]
        if (list(found.shape), found.type) != (list(expected.shape), expected.type):
            raise ValueError(
                f"{name}: found shape {found.shape}, type {found.type}; expected {expected.shape}, {expected.type}"
            )
        # What reads integers says what they mean.
        found.quantization = expected.quantization or found.quantization
        bound[i] = given[name]
    count, places = len(graph.tensors), []
    for i in range(len(more.tensors)):
        places.append(bound.get(i, count))
        count += i not in bound
    return places
