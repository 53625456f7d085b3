# SPDX-License-Identifier: GPL-2.0-only
"""
What can be wrong with one place of the source, one thing at a time: every comparison, condition,
number, operator and statement in the bodies of functions and macros. A mutant is one edit of one
file.

Not touched: declarations, types, inline assembly, and verifier_forget, which by its nature changes nothing.
"""

import hashlib
import re

TOKEN = re.compile(
    r"""(?P<space>\s+|\\\n|//[^\n]*|/\*.*?\*/)
    |(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[][(){}<>!~=+\-*/%&|^?:;,.])
    """,
    re.X | re.S,
)
DEFINE = re.compile(r"#\s*define[ \t]+(\w+)(\([^)]*\))?[ \t]+(?=\S)")
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)

KEYWORDS = {"return", "if", "for", "switch", "case", "default", "else", "do", "while"}
# Statements that are there for the verifier or the cache alone.
WITHOUT_EFFECT = {"verifier_forget", "verifier_hide", "asm"}
# Macros that say how something is compiled, not what it does.
SILENT_MACROS = {"likely", "unlikely", "verifier_forget", "verifier_hide", "clamp_index", "LOAD", "PKT_OPAQUE",
                 "PKT_FUNCTION", "VERIFIED_ONCE"}
TYPES = re.compile(
    r"(const|volatile|static|struct|enum|union|unsigned|signed|void|bool|char|short|int|long"
    r"|__u(8|16|32|64)|__s(8|16|32|64)|__be(16|32|64))$"
)
BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<"}
ARITHMETIC.update({"&": "|", "|": "&", "^": "|", "+=": "-=", "-=": "+=", "*=": "/=", "++": "--"})
ARITHMETIC.update({"--": "++", "^=": "|=", "|=": "&=", "&=": "|=", ">>=": "<<=", "<<=": ">>="})
# Nothing that tells true from false is negated where `condition` and `operand` have it both ways.
# What ends an operand of && and ||, at its own depth.
ENDS = {"&&", "||", "?", ":", ";", ",", "=", "{", "}"}


class Token:
    def __init__(self, kind, text, start):
        self.kind, self.text, self.start, self.end = kind, text, start, start + len(text)


class Mutant:
    def __init__(self, path, source, where, kind, start, end, by):
        self.path, self.kind, self.start, self.end, self.by = path, kind, start, end, by
        self.line = source.count("\n", 0, start) + 1
        first = source.rfind("\n", 0, start) + 1
        last = source.find("\n", end)
        last = len(source) if last < 0 else last
        self.where = where
        self.before = squeeze(source[first:last])
        self.after = squeeze(source[first:start] + by + source[end:last])
        self.id = None

    def apply(self, source):
        return source[: self.start] + self.by + source[self.end :]

    def __str__(self):
        return f"{self.id} {self.path} {self.where}: {self.before}  =>  {self.after}"


def squeeze(text):
    return " ".join(text.replace("\\\n", " ").split())


def tokens(source, start, end):
    found, at = [], start
    while at < end:
        match = TOKEN.match(source, at, end)
        if not match:
            raise ValueError(f"no token: {source[at : at + 20]!r}")
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup, match[0], at))
        at = match.end()
    return found


def bodies(source):
    """(name, tokens) of every macro's and every function's body."""
    plain = list(source)
    for match in re.finditer(r"/\*.*?\*/", source, re.S):  # a directive's comment may span lines
        for i in range(*match.span()):
            plain[i] = plain[i] if plain[i] == "\n" else " "
    plain = "".join(plain)
    code = plain
    for directive in DIRECTIVE.finditer(plain):
        code = code[: directive.start()] + re.sub(r"[^\n]", " ", directive[0]) + code[directive.end() :]
        define = DEFINE.match(directive[0].lstrip())
        silent = not define or define[1] in SILENT_MACROS or "_ASSERT" in define[1]
        if not silent:
            start = directive.end() - len(directive[0].lstrip()) + define.end()
            yield define[1], tokens(plain, start, directive.end())
    depth, name, body, before = 0, None, [], None
    for token in tokens(code, 0, len(code)):
        if token.text == "{":
            depth += 1
            if depth == 1:
                body = [] if before == ")" else None
        elif token.text == "}":
            depth -= 1
            if depth == 0 and body:
                yield name, body
        elif depth == 0 and token.text == "(" and re.match(r"\w", before or ""):
            name = before
        if depth and body is not None and not (depth == 1 and token.text == "{"):
            body.append(token)
        before = token.text


def closing(found, at):
    """Index of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(found)):
        depth += found[i].text in "([{"
        depth -= found[i].text in ")]}"
        if not depth:
            return i
    raise ValueError("brackets")


def opening(found, at):
    """Index of the bracket that the one at `at` closes."""
    depth = 0
    for i in range(at, -1, -1):
        depth += found[i].text in ")]}"
        depth -= found[i].text in "([{"
        if not depth:
            return i
    raise ValueError("brackets")


def is_cast(found, at):
    """Does the ')' at `at` end a cast?"""
    if found[at].text != ")":
        return False
    i = opening(found, at)
    called = i and (found[i - 1].kind == "name" or found[i - 1].text == ")")
    if called and (found[i - 1].text == "return" or is_cast(found, i - 1)):
        called = False
    return bool(at > i + 1 and not called and TYPES.match(found[i + 1].text))


def is_binary(found, at):
    if not at:
        return False
    before = found[at - 1]
    if before.text == ")":
        return not is_cast(found, at - 1)
    return before.kind in ("name", "number") and before.text != "return" or before.text == "]"


def operand(found, at, step):
    """The other end of the operand of && or || that lies beside `at`."""
    depth, i = 0, at + step
    while 0 <= i < len(found):
        text = found[i].text
        if text in ("([{" if step > 0 else ")]}"):
            depth += 1
        elif text in (")]}" if step > 0 else "([{"):
            if not depth:
                break
            depth -= 1
        if not depth and (text in ENDS or text == "return"):
            break
        i += step
    return i - step


def begins_statement(found, at):
    if not at or found[at - 1].text in (";", "{", "}", "else"):
        return True
    if found[at - 1].text == ")":
        opened = opening(found, at - 1)
        return bool(opened) and found[opened - 1].text in ("if", "for", "while", "switch")
    if found[at - 1].text == ":":
        while at and found[at - 1].text not in (";", "{", "}", "case", "default"):
            at -= 1
        return bool(at) and found[at - 1].text in ("case", "default")
    return False


def is_declared(found, at):
    """Is it part of a declaration, the length of an array or a pointer's star?"""
    start = at
    while start and found[start - 1].text not in ";{}":
        start -= 1
    if not TYPES.match(found[start].text):
        return False
    return not any(t.text == "=" for t in found[start:at])


def edits(found):
    """(kind, start, end, by) of one body."""
    skip_to, parens, decided = -1, 0, -1
    for i, token in enumerate(found):
        text, start, end = token.text, token.start, token.end
        following = found[i + 1].text if i + 1 < len(found) else ""
        if i <= skip_to:
            continue
        if text in WITHOUT_EFFECT or (text == "(" and following == "void"):
            skip_to = i
            while skip_to < len(found) and found[skip_to].text != ";":
                skip_to += 1
            continue
        parens += text == "("
        parens -= text == ")"

        if not parens and begins_statement(found, i) and not TYPES.match(text):
            yield from statement(found, i)
        if text == "if":
            decided = closing(found, i + 1)
            for by in "10":
                yield "condition", found[i + 2].start, found[decided - 1].end, by
        elif text == "?":
            yield "condition", start, end, "|| 1 ?"
            yield "condition", start, end, "&& 0 ?"
        elif text in ("&&", "||"):
            for step in (-1, 1):
                low, high = sorted((operand(found, i, step), i + step))
                yield "operand", found[low].start, found[high].end, "1" if text == "&&" else "0"
        elif text in ("!", "~") or (text == "-" and not is_binary(found, i)):
            if text != "!" or i > decided:
                yield "negation", start, end, ""
        elif text in BOUNDARY:
            if text not in ("==", "!=") or i > decided:
                yield "boundary", start, end, BOUNDARY[text]
        elif is_declared(found, i) or following == ")" and text in ARITHMETIC and text not in ("++", "--"):
            pass
        elif text in ("&", "*", "+") and not is_binary(found, i):
            pass
        elif text in ARITHMETIC:
            yield "operator", start, end, ARITHMETIC[text]
        elif token.kind == "number":
            value = int(text.rstrip("uUlL"), 0)
            yield "number", start, end, f"({text} + 1)"
            if 0 < value < 1 << 32:
                yield "number", start, end, f"({text} - 1)"
        elif text == "sizeof" and following == "(":
            close = found[closing(found, i + 1)].end
            yield "size", close, close, " + 1"
            yield "size", close, close, " - 1"
        elif text in ("true", "false"):
            yield "truth", start, end, "false" if text == "true" else "true"
        elif re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", text) and following != "(":
            yield "constant", start, end, f"({text} + 1)"


def statement(found, i):
    """Without the statement that begins here, where it is one that acts."""
    text = found[i].text
    if (found[i].kind != "name" and text != "*") or text in KEYWORDS:
        return
    depth = 0
    for last in range(i, len(found)):
        depth += found[last].text in "([{"
        depth -= found[last].text in ")]}"
        if depth < 0 or (not depth and found[last].text == ":"):
            return
        if not depth and found[last].text == ";":
            yield "statement", found[i].start, found[last].end, ";"
            return


def of_file(path, source):
    """Every mutant of a file, each with an id that outlives changes elsewhere in the file."""
    seen = {}
    made = []
    for where, body in bodies(source):
        for kind, start, end, by in dict.fromkeys(edits(body)):
            mutant = Mutant(path, source, where, kind, start, end, by)
            key = f"{path} {where} {mutant.before} {mutant.after}"
            seen[key] = seen.get(key, 0) + 1
            mutant.id = hashlib.sha256(f"{key} {seen[key]}".encode()).hexdigest()[:8]
            made.append(mutant)
    return made
