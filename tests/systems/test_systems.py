import pytest

from flyball import errors, system, systems


@pytest.mark.parametrize("name", systems.names())
def test_every_ready_made_page_is_sound_reads_back_and_has_a_question(name):
    page = systems.load(name)
    assert page.name == name and page.question.endswith("?")
    assert list(page.problems()) == []
    assert system.read(repr(page)) == page
    assert page.fingerprint() == systems.load(name).fingerprint()


def test_pages_differ_by_their_fingerprints():
    found = {systems.load(name).fingerprint() for name in systems.names()}
    assert len(found) == len(systems.names()) > 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("system = System(\n", "SyntaxError"),
        ("system = Sytem()\n", "NameError"),
        ("raise RuntimeError('boom')\n", "boom"),
        ("x = 1\n", "no value `system = System"),
        ("system = 3\n", "no value `system = System"),
        ("from flyball import data\nsystem = data.Table('a', colums={})\n", "colums"),
    ],
)
def test_a_file_that_is_no_page_says_why(tmp_path, text, said):
    file = tmp_path / "page.py"
    file.write_text(text)
    with pytest.raises((errors.DeclarationError, TypeError), match=said):
        systems.load(str(file))


def test_a_page_that_is_not_there_is_guessed_at():
    with pytest.raises(errors.DeclarationError, match="no page 'scaner': did you mean 'scanner'"):
        systems.load("scaner")
    with pytest.raises(errors.DeclarationError, match=r"no page '/nowhere/page\.py'"):
        systems.load("/nowhere/page.py")


def test_a_file_of_one_s_own_is_a_page(tmp_path):
    file = tmp_path / "my_own.py"
    text = "from flyball import part\nfrom flyball.systems import load\n"
    file.write_text(text + "system = part.replace(load('scanner'), name='mine')\n")
    assert systems.load(str(file)).name == "mine"


def test_only_ready_made_systems_have_inputs():
    assert systems.inputs("nowhere") is None
    assert hasattr(systems.inputs("scanner"), "prepare")
