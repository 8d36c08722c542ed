"""The user's ssh configuration, read once: which settings hold for which host, as ssh_config(5) says.

Reading is per run, not per connection: 5,000 Host blocks take too long to read for every connect.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from probes.transports.base import ConfigRefused

USER_CONFIG: Final = Path("~/.ssh/config")
SYSTEM_CONFIG: Final = Path("/etc/ssh/ssh_config")
_MAX_DEPTH: Final = 16
_MAX_FILES: Final = 4096
_EXEC_SECONDS: Final = 5.0
_ACCUMULATE: Final = frozenset({"identityfile", "certificatefile"})
_TO_END_OF_LINE: Final = frozenset({"proxycommand", "remotecommand", "localcommand", "knownhostscommand"})
_WITHOUT_ARGUMENT: Final = frozenset({"all", "canonical", "final"})
_KEYWORD: Final = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+|$)(.*)")
_WORD: Final = re.compile(r"""\s*((?:"(?:\\["\\]|[^"])*"|'(?:\\['\\]|[^'])*'|\\[\\"' ]|[^\s"'])+)""")
_PART: Final = re.compile(r""""((?:\\["\\]|[^"])*)"|'((?:\\['\\]|[^'])*)'|\\([\\"' ])|([^"'\\]+|\\)""")


class Setting(NamedTuple):
    """The value of one option and where it was said."""

    values: tuple[str, ...]
    where: str
    """``FILE line N``."""


class _Directive(NamedTuple):
    keyword: str
    setting: Setting


class _Block(NamedTuple):
    """A Host or Match block: its condition and what it holds."""

    kind: str
    """``""`` (always), ``host`` or ``match``."""
    condition: Setting
    content: "list[_Directive | _File]"


class _File(NamedTuple):
    """One file in blocks, with the blocks of plain host names found by name."""

    blocks: list[_Block]
    by_name: dict[str, list[int]]
    others: list[int]
    included: "list[_File]"

    def candidates(self, alias: str) -> Iterator[_Block]:
        """Blocks that may apply to a host, in the order of the file."""
        named = self.by_name.get(alias)
        return (self.blocks[i] for i in (sorted((*named, *self.others)) if named else self.others))


class SshConfig:
    """All ssh configuration of a run."""

    def __init__(self, files: Sequence[_File]) -> None:
        self._files = files
        self.runs_commands = any(_has_exec(file) for file in files)
        """Whether resolving may run a command (``Match exec``)."""

    def resolve(self, alias: str, *, user: str | None = None, port: int | None = None) -> dict[str, Setting]:
        """Find a host's settings, by option name in lower case; ``user`` and ``port`` win, as on ssh's command line.

        Runs the commands of ``Match exec`` where a file has them, so call it off the event loop.
        """
        resolution = _Resolution(alias)
        if user is not None:
            resolution.settings["user"] = Setting((user,), "underlay's settings")
        if port is not None:
            resolution.settings["port"] = Setting((str(port),), "underlay's settings")
        for final in (False, True):
            resolution.final = final
            for file in self._files:
                resolution.apply(file)
            if not resolution.wants_final:
                break
        return resolution.settings

    def names(self, alias: str) -> bool:
        """Tell whether a Host line is about this host, other than by a pattern for all."""
        return any(_names(file, alias) for file in self._files)


def _names(file: _File, alias: str) -> bool:
    patterns = (file.blocks[i] for i in file.others)
    return (
        alias in file.by_name
        or any(
            b.kind == "host" and matches(alias, b.condition.values) and "*" not in b.condition.values for b in patterns
        )
        or any(_names(included, alias) for included in file.included)
    )


def _has_exec(file: _File) -> bool:
    conditions = (word for block in file.blocks for word in block.condition.values)
    return any("exec" in word.lower() for word in conditions) or any(_has_exec(included) for included in file.included)


def read_ssh_config(path: Path | None = None) -> SshConfig:
    """Read one file as ``ssh -F`` does, or the user's and the system's; raises ConfigRefused."""
    if path is not None:
        return SshConfig([_Reader(Path("~/.ssh").expanduser()).read(path.expanduser(), 0)])
    user, files = USER_CONFIG.expanduser(), []
    if user.is_file():
        files.append(_Reader(user.parent, guarded=True).read(user, 0))
    if SYSTEM_CONFIG.is_file():
        files.append(_Reader(SYSTEM_CONFIG.parent).read(SYSTEM_CONFIG, 0))
    return SshConfig(files)


class _Reader:
    """Reads files and those they include."""

    def __init__(self, folder: Path, *, guarded: bool = False) -> None:
        self._folder = folder
        self._guarded = guarded
        self._count = 0

    def read(self, path: Path, depth: int) -> _File:
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_FILES:
            raise ConfigRefused(f"{path}: too many nested Include lines in the ssh configuration: remove the loop")
        blocks = [_Block("", Setting((), str(path)), [])]
        for number, line in enumerate(self._text(path).splitlines(), 1):
            directive = parse_line(line, f"{path} line {number}")
            if directive is None:
                continue
            if directive.keyword in {"host", "match"}:
                blocks.append(_Block(directive.keyword, directive.setting, []))
            elif directive.keyword == "include":
                blocks[-1].content.extend(self._included(directive.setting, depth + 1))
            else:
                blocks[-1].content.append(directive)
        return _index(blocks)

    def _text(self, path: Path) -> str:
        try:
            with path.open(encoding="utf-8", errors="surrogateescape") as file:
                if self._guarded:
                    status = os.fstat(file.fileno())
                    if status.st_uid not in {0, os.getuid()} or status.st_mode & 0o022:
                        raise ConfigRefused(f"{path} can be changed by other users: ssh refuses it, chmod 600 it")
                return file.read()
        except OSError as error:
            raise ConfigRefused(
                f"{path}: cannot read the ssh configuration: {error.strerror}: check the path"
            ) from error

    def _included(self, setting: Setting, depth: int) -> Iterator[_File]:
        for pattern in setting.values:
            absolute = self._folder / Path(pattern).expanduser()
            for path in sorted(Path(absolute.anchor).glob(str(absolute.relative_to(absolute.anchor)))):
                if path.is_file() and os.access(path, os.R_OK):
                    yield self.read(path, depth)


def _index(blocks: list[_Block]) -> _File:
    by_name: dict[str, list[int]] = {}
    others: list[int] = []
    for i, block in enumerate(blocks):
        if block.kind == "host" and not any(set("*?!") & set(name) for name in block.condition.values):
            for name in dict.fromkeys(block.condition.values):
                by_name.setdefault(name, []).append(i)
        else:
            others.append(i)
    included = [item for block in blocks for item in block.content if isinstance(item, _File)]
    return _File(blocks, by_name, others, included)


def parse_line(line: str, where: str) -> _Directive | None:
    """Split one line into its keyword (lower case) and arguments; None for blank and comment lines."""
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    match = _KEYWORD.match(text)
    if match is None:
        raise ConfigRefused(f"{where}: not an ssh_config line: write KEYWORD VALUE")
    keyword, rest = match.group(1).lower(), match.group(2)
    values = (rest,) if keyword in _TO_END_OF_LINE else tuple(_words(rest, where))
    if not values or values == ("",):
        raise ConfigRefused(f"{where}: {match.group(1)} has no value")
    return _Directive(keyword, Setting(values, where))


def _words(text: str, where: str) -> Iterator[str]:
    position = 0
    while text[position:].strip():
        match = _WORD.match(text, position)
        if match is None:
            raise ConfigRefused(f"{where}: a quote is not closed")
        if match.group(1).startswith("#"):
            return
        yield "".join(re.sub(r"\\([\\\"'])", r"\1", a or b) or c or d for a, b, c, d in _PART.findall(match.group(1)))
        position = match.end()


@lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c) or re.escape(c) for c in re.sub(r"\*+", "*", pattern)), re.DOTALL)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name is in a pattern list: one matches and none with ``!`` does (ssh_config(5), PATTERNS)."""
    found = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if _pattern(pattern[1:]).fullmatch(name):
                return False
        elif not found:
            found = _pattern(pattern).fullmatch(name) is not None
    return found


class _Resolution:
    """The settings of one host while the files are applied: the first value said wins."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.settings: dict[str, Setting] = {}
        self.final = False
        self.wants_final = False

    def apply(self, file: _File) -> None:
        for block in file.candidates(self.alias):
            if not self._holds(block):
                continue
            for item in block.content:
                if isinstance(item, _File):
                    self.apply(item)
                else:
                    self._set(item)

    def _set(self, directive: _Directive) -> None:
        keyword, setting = directive
        known = self.settings.get(keyword)
        if known is None:
            self.settings[keyword] = setting
        elif keyword in _ACCUMULATE and setting.values[0] not in known.values:
            self.settings[keyword] = Setting((*known.values, *setting.values), known.where)

    def _holds(self, block: _Block) -> bool:
        if block.kind == "host":
            return matches(self.alias, block.condition.values)
        return block.kind == "" or self._match(block.condition)

    def _match(self, condition: Setting) -> bool:
        words = list(condition.values)
        held = True
        while words:
            word, given, argument = words.pop(0).partition("=")
            negated, name = word.startswith("!"), word.removeprefix("!").lower()
            if name not in _WITHOUT_ARGUMENT and not given:
                if not words:
                    raise ConfigRefused(f"{condition.where}: Match {word} has no pattern")
                argument = words.pop(0)
            if name == "final":
                self.wants_final = True
            if held:
                held = self._criterion(name, argument, condition.where) != negated
        return held

    def _criterion(self, name: str, argument: str, where: str) -> bool:
        if name in _WITHOUT_ARGUMENT:
            return name == "all" or self.final
        if name == "exec":
            return self._succeeds(argument, where)
        subject = {
            "host": self.hostname,
            "originalhost": self.alias,
            "user": self.user,
            "localuser": local_user(),
            "tagged": self._value("tag"),
            "sessiontype": "exec",
        }.get(name)
        if subject is None:
            raise ConfigRefused(
                f"{where}: `Match {name}` is not supported here: give underlay an ssh configuration without it"
            )
        return matches(subject, argument.split(","))

    def _value(self, keyword: str) -> str:
        setting = self.settings.get(keyword)
        return setting.values[0] if setting else ""

    @property
    def hostname(self) -> str:
        return expand(self._value("hostname"), {"h": self.alias}, "HostName") or self.alias

    @property
    def user(self) -> str:
        return self._value("user") or local_user()

    def _succeeds(self, command: str, where: str) -> bool:
        words = tokens(self.alias, self.hostname, self._value("port") or "22", self.user)
        line = expand(command, words, where)
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", line],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_EXEC_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise ConfigRefused(
                f"{where}: the command of Match exec did not end in {_EXEC_SECONDS:.0f} s: mend or remove it"
            ) from error
        return done.returncode == 0


def local_user() -> str:
    """Name of the user who runs this program."""
    import getpass  # noqa: PLC0415 start-up is measured

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def tokens(alias: str, hostname: str, port: str, user: str) -> dict[str, str]:
    """Name what the percent tokens of ssh_config(5), TOKENS, stand for."""
    node = os.uname().nodename
    return {
        "d": str(Path("~").expanduser()),
        "h": hostname,
        "i": str(os.getuid()),
        "k": alias,
        "L": node.partition(".")[0],
        "l": node,
        "n": alias,
        "p": port,
        "r": user,
        "u": local_user(),
    }


def expand(text: str, words: dict[str, str], where: str) -> str:
    """Expand percent tokens; raises ConfigRefused for one we do not know."""

    def replace(match: re.Match[str]) -> str:
        token = match.group(1)
        if token == "%":  # noqa: S105 a percent sign is no secret
            return "%"
        if token not in words:
            raise ConfigRefused(f"{where}: the token %{token} is not supported here: write it out")
        return words[token]

    return re.sub(r"%(.?)", replace, text) if "%" in text else text
