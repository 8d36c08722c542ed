"""Commands: what can be typed after ``:``, how it is completed, and the same in the command palette."""

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

from probes.model.flux import ObjectRef
from probes.rules.facts import node_ref
from probes.rules.manual import pages
from tui.screens import entries, find
from tui.screens.base import LiveApp, LiveScreen


class Command(NamedTuple):
    """Something that can be typed after ``:``."""

    name: str
    says: str
    aliases: tuple[str, ...] = ()


_OWN: Final = (
    Command("theme", "choose a theme: theme NAME", ("skin",)),
    Command("faults", "only what is not as it should be", ("unhealthy",)),
    Command("refresh", "ask every source again, now"),
    Command("readonly", "whether anything can be changed from here; locks it again"),
    Command("help", "every key that works here", ("h", "keys", "?")),
    Command("back", "back to where you were"),
    Command("quit", "end underlay", ("q", "q!", "exit")),
)
_REPAIRS: Final = (
    Command("write", "unlock writing: write CONTEXT", ("unlock",)),
    Command("run", "the run that is under way, or that ended last"),
)
"""What works only where something can be repaired."""


def commands(*, repairs: bool = False) -> Iterator[Command]:
    """List every command that works: screens, then the rest; ``repairs`` tells whether something can be repaired."""
    for entry in entries():
        if entry.typed and (repairs or not entry.repairs):
            yield Command(entry.name, entry.title, entry.aliases)
    yield from (*_OWN, *(_REPAIRS if repairs else ()))


def complete(text: str, themes: list[str], *, repairs: bool = False) -> str:
    """Complete what was typed: a command's name, or the name of a theme; empty where nothing fits."""
    word, blank, rest = text.partition(" ")
    if not text:
        return ""
    if blank:
        if word == "explain" and rest:
            return next((f"{word} {code}" for code in pages() if code.startswith(rest) and code != rest), "")
        if word not in {"theme", "skin"} or not rest:
            return ""
        return next((f"{word} {name}" for name in themes if name.startswith(rest) and name != rest), "")
    names = [name for command in commands(repairs=repairs) for name in (command.name, *command.aliases)]
    return next((name for name in names if name.startswith(text) and name != text), "")


def run(app: LiveApp, text: str) -> str:
    """Do what was typed; returns what is wrong with it, empty where nothing is."""
    word, _, rest = text.strip().removeprefix(":").partition(" ")
    rest = rest.strip()
    screen = app.screen
    match _own(word, repairs=app.repairs is not None):
        case "":
            return _go(app, word, rest)
        case "write" | "run" | "readonly" as name:
            return _repairs(app, name, rest)
        case "quit":
            app.quit()
        case "back":
            app.step(-1)
        case "refresh":
            app.collect_now()
        case "theme":
            return _theme(app, rest)
        case "help" if isinstance(screen, LiveScreen):
            screen.action_help()
        case "faults" if isinstance(screen, LiveScreen):
            screen.action_faults()
    return ""


def _own(word: str, *, repairs: bool) -> str:
    known = (*_OWN, *(_REPAIRS if repairs else ()))
    return next((command.name for command in known if word == command.name or word in command.aliases), "")


def _repairs(app: LiveApp, name: str, rest: str) -> str:
    """Do what is about writing."""
    if app.repairs is None:
        return "This underlay only reads: it has no code that changes a cluster."
    if name == "readonly":
        return app.lock() or "Nothing is written; :write unlocks it."
    if name == "write":
        return _write(app, rest)
    app.show_run()
    return ""


def _write(app: LiveApp, typed: str) -> str:
    """Unlock writing to the cluster whose context was typed: by its name, so that it is the one that was meant."""
    context = app.diagnosis.snapshot.context
    if app.unlocked:
        return f"Writing to {context} is unlocked; :readonly locks it."
    if not typed:
        return f"Type :write {context} to unlock writing to it."
    return app.unlock(typed)


def _go(app: LiveApp, word: str, rest: str) -> str:
    if not word:
        return ""
    entry = find(word)
    if entry is None or not entry.typed or (entry.repairs and app.repairs is None):
        return f"There is no :{word}; ? lists what there is."
    screen = app.screen
    subject = screen.subject() if isinstance(screen, LiveScreen) else None
    if entry.kinds == ("Node",) and rest:
        if rest not in app.diagnosis.views:
            return f"There is no node {rest}."
        app.go(entry.name, node_ref(rest))
        return ""
    if entry.kinds == ("Code",):
        return _explain(app, entry.name, rest)
    if entry.needs_subject and subject is None:
        return f":{word} is about something: put the cursor on it first."
    app.go(entry.name, subject if entry.needs_subject else None)
    return ""


def _explain(app: LiveApp, name: str, code: str) -> str:
    """Explain a code, or the finding under the cursor."""
    screen = app.screen
    wanted = code or (screen.code() if isinstance(screen, LiveScreen) else "")
    if not wanted:
        return ":explain is about a finding: put the cursor on one, or name its code."
    if wanted not in pages():
        return f"There is no finding {wanted}."
    app.go(name, ObjectRef("Code", "", wanted))
    return ""


def _theme(app: LiveApp, name: str) -> str:
    mine = sorted(theme for theme in app.available_themes if theme.startswith("underlay"))
    wanted = name if name in app.available_themes else f"underlay-{name}"
    if wanted not in app.available_themes:
        return f"Themes: {', '.join(theme.removeprefix('underlay-') for theme in mine)}"
    app.theme = wanted
    app.remember(theme=wanted)
    return ""


PALETTE_CSS: Final = """
CommandPalette > Vertical { margin-top: 2; }
CommandPalette SearchIcon { display: none; }
CommandPalette #--input, CommandPalette #--input.--list-visible { border: none; padding: 0 1; }
CommandPalette CommandList { border: none; }
CommandPalette CommandList > .option-list--option-highlighted {
    color: $block-cursor-foreground; background: $block-cursor-background;
    text-style: $block-cursor-blurred-text-style;
}
CommandPalette > .command-palette--help-text { text-style: not bold; }
"""
"""Nothing in it needs Unicode. Its cursor has the colours of every list's; where there are none it is underlined, for
Textual draws no option reversed (``Widget.get_visual_style`` leaves that out)."""


class Commands(Provider):
    """The same commands in the command palette."""

    async def discover(self) -> Hits:
        """Offer everything."""
        for command in self._commands():
            yield DiscoveryHit(command.name, partial(self._run, command.name), help=command.says)

    async def search(self, query: str) -> Hits:
        """Offer what was asked for."""
        matcher = self.matcher(query)
        for command in self._commands():
            said = f"{command.name}: {command.says}"
            if (score := matcher.match(said)) > 0:
                yield Hit(score, matcher.highlight(said), partial(self._run, command.name))

    def _commands(self) -> Iterator[Command]:
        return commands(repairs=isinstance(self.app, LiveApp) and self.app.repairs is not None)

    def _run(self, name: str) -> None:
        app = self.app
        if isinstance(app, LiveApp) and (wrong := run(app, name)):
            app.notify(wrong, markup=False)
