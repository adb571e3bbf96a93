"""The programs that README.md quotes stand there as they are, and work."""
import pathlib
import subprocess

import pytest

from e2e_support import DUT
from wireside_lab import run, wireside_binary

TOP = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = TOP / "tests/examples"


def built(name):
    program = pathlib.Path(wireside_binary()).resolve().parents[1] / "tests" / name
    if not program.exists():
        pytest.skip(f"build the target wireside_examples for {program}")
    return str(program)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.cpp")))
def test_the_readme_quotes_it_literally(name):
    source = (EXAMPLES / f"{name}.cpp").read_text()
    quoted = source.split("// README begin\n")[1].split("// README end\n")[0]
    assert quoted in (TOP / "README.md").read_text()


def test_the_readme_shows_a_conformance_test_that_exists():
    code = (TOP / "README.md").read_text().split("```python\n")[1].split("```")[0]
    assert code.strip() in (TOP / "tests/conformance/README.md").read_text()


def test_two_stacks_talk_without_a_device():
    assert run(built("two_stacks")).stdout == "hello\n"


def test_the_echo_server_answers(tap):
    server = subprocess.Popen([built("echo_server"), tap], stderr=subprocess.PIPE)
    try:
        for _ in range(50):
            if run("nc", "-z", "-w", "1", DUT, "7", check=False).returncode == 0:
                break
        for text in ("one", "two"):  # one connection after the other: the end of one ends nothing else
            said = subprocess.run(["nc", "-N", "-w", "5", DUT, "7"], input=text, capture_output=True, text=True, timeout=20)
            assert said.stdout == text
        assert server.poll() is None
    finally:
        server.kill()
        server.communicate()


CONSUMER = """
cmake_minimum_required(VERSION 3.25)
project(consumer CXX)
find_package(wireside 0.1 REQUIRED)
if(NOT TARGET wireside::tap)
  message(FATAL_ERROR "there is no wireside::tap")
endif()
add_executable(two_stacks two_stacks.cpp)
target_link_libraries(two_stacks wireside::stack)
"""


def test_another_project_finds_what_was_installed(tmp_path):
    build = pathlib.Path(wireside_binary()).resolve().parents[1]
    if not (build / "cmake_install.cmake").exists():
        pytest.skip(f"{build} is no build directory")
    run("cmake", "--install", str(build), "--prefix", str(tmp_path / "installed"))
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER)
    (tmp_path / "two_stacks.cpp").write_text((EXAMPLES / "two_stacks.cpp").read_text())
    run("cmake", "-G", "Ninja", "-S", str(tmp_path), "-B", str(tmp_path / "build"),
        f"-DCMAKE_PREFIX_PATH={tmp_path / 'installed'}", timeout=120)
    run("cmake", "--build", str(tmp_path / "build"), timeout=300)
    assert run(str(tmp_path / "build/two_stacks")).stdout == "hello\n"
