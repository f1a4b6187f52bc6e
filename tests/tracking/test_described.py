"""Nothing that may hold a secret is told."""

from omegaconf import OmegaConf

from tuna_exp.tracking.described import allowed, as_tags, described


def test_what_is_named_like_a_secret_is_left_out_at_any_depth() -> None:
    told = allowed({"a": [{"api_key": "sk-1", "b": 1}], "parameters": {"user": "x"}, "password": 2})
    assert told == {"a": [{"b": 1}]}


def test_a_login_in_a_url_is_left_out() -> None:
    assert allowed("http://me:hunter2@host:1/v1") == "http://host:1/v1"
    assert allowed("mail me@host") == "mail me@host"


def test_only_allowed_groups_are_told_and_filters_stand_flat() -> None:
    config = OmegaConf.create(
        {"seed": 3, "dataset": {"count": 2}, "budget": {"usd": 5}, "model": {"name": "me/it"}}
    )
    choices = {"dataset": "verifiable", "model": "hub", "ranker@teacher_ranker": "random"}
    told = described(config, choices, "a sweep", {"tiny": 1})
    assert set(told.config["cfg"]) == {"seed", "dataset", "model"}
    flat = {key: value for key, value in told.config.items() if key not in ("cfg", "base")}
    assert flat == {
        "seed": 3, "dataset": "verifiable", "model": "me/it", "teacher_ranker": "random"
    }  # fmt: skip
    assert (told.group, list(told.tags)) == ("a sweep", ["verifiable", "me/it"])


def test_tags_are_what_the_tracker_takes() -> None:
    assert as_tags(["a", "", "a", "b" * 80]) == ["a", "b" * 64]
