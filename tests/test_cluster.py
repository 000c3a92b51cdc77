"""Who trains together: every worker reads the same list and its own number from its environment."""

import json

import pytest

from tfpose.train import cluster

SLURM = {
    "SLURM_PROCID": "0",
    "SLURM_JOB_ID": "40007",
    "SLURM_STEP_NODELIST": "gpu[01-02],big",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
}
KUBERNETES = {"TFPOSE_WORKERS": "3", "TFPOSE_ADDRESS": "pose-{index}.pose:12000", "JOB_COMPLETION_INDEX": "1"}


def config(addresses, number):
    return {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}


def test_tf_config_goes_before_everything_else():
    given = config(["a:1", "b:1"], 1)
    assert cluster.config(SLURM | {"TF_CONFIG": json.dumps(given)}) == given


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"TF_CONFIG: JSONDecodeError.* expected \{\"cluster\""),
        ("{}", "TF_CONFIG: KeyError"),
        (json.dumps(config(["a:1"], 1)), "TF_CONFIG: this is worker 1, but there are only 1; count from 0"),
        (json.dumps(config(["a:1"], 0)).replace('"worker"', '"chief"'), "TF_CONFIG: KeyError"),
        (json.dumps({"cluster": {"worker": ["a:1"], "ps": []}, "task": {"type": "ps", "index": 0}}), "workers alone"),
    ],
)
def test_a_tf_config_that_cannot_be_used_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        cluster.config({"TF_CONFIG": text})


def test_the_tasks_of_a_slurm_step_are_workers_in_their_order():
    for number in range(5):
        found = cluster.config(SLURM | {"SLURM_PROCID": str(number)})
        assert found["task"] == {"type": "worker", "index": number}
        assert found["cluster"]["worker"] == ["gpu01:12007", "gpu01:12008", "gpu02:12007", "gpu02:12008", "big:12007"]


@pytest.mark.parametrize(
    ("nodes", "hosts"),
    [
        ("one", ["one"]),
        ("a,b-1", ["a", "b-1"]),
        ("n[1-3,07]", ["n1", "n2", "n3", "n07"]),
        ("r[1-2]n[08-10]x,z", [f"r{r}n{n}x" for r in (1, 2) for n in ("08", "09", "10")] + ["z"]),
    ],
)
def test_a_slurm_node_list_names_its_nodes(nodes, hosts):
    assert cluster.hosts_of(nodes) == hosts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SLURM_STEP_NODELIST": "a["}, r"node list 'a\[' cannot be read"),
        ({"SLURM_STEP_NODELIST": "a[x-y]"}, "cannot be read"),
        ({"SLURM_STEP_TASKS_PER_NODE": "many"}, "tasks per node 'many' cannot be read"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2"}, "3 nodes, but the tasks of 1"),
        ({"SLURM_PROCID": "5"}, "SLURM_PROCID: this is worker 5, but there are only 5"),
        ({"SLURM_DISTRIBUTION": "cyclic"}, "srun --distribution=block"),
        ({"SLURM_JOB_ID": ""}, "SLURM_JOB_ID: not set"),
    ],
)
def test_a_slurm_environment_that_is_not_whole_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        cluster.config(SLURM | changes)


def test_the_pods_of_an_indexed_job_are_workers():
    assert cluster.config(KUBERNETES) == config([f"pose-{i}.pose:12000" for i in range(3)], 1)
    assert cluster.config(KUBERNETES | {"TFPOSE_INDEX": "2"})["task"]["index"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"TFPOSE_ADDRESS": "pose.pose:12000"}, "expected a place for the number"),
        ({"TFPOSE_ADDRESS": ""}, "TFPOSE_ADDRESS: not set"),
        ({"JOB_COMPLETION_INDEX": ""}, "TFPOSE_INDEX or JOB_COMPLETION_INDEX: not set"),
        ({"TFPOSE_WORKERS": "1"}, "this is worker 1, but there are only 1"),
    ],
)
def test_a_kubernetes_environment_that_is_not_whole_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        cluster.config(KUBERNETES | changes)


def test_without_a_cluster_the_message_says_how_to_describe_one():
    with pytest.raises(
        ValueError, match=r"^train\.devices: multiworker, but nothing says who the workers are: set TF_C"
    ):
        cluster.config({})
