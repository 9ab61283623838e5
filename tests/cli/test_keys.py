"""Keys, as they are typed, are tried in test_fleets.py; here is what only this module holds."""

from flyball.cli import keys


def test_every_act_on_keys_has_a_command():
    assert {command.callback.__name__ for command in keys.app.registered_commands} == {
        "new", "init", "enrol", "policy", "sign", "publish", "rotate", "show", "approve", "delegate",
    }  # fmt: skip
