"""Makes the firmware's `parley_schema.h` from the table in app/core/schema.py.

    python firmware/tools/generate_schema.py [--check]

`--check` writes nothing and ends with 1 when the header is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "firmware/components/parley_core/parley_schema.h"
sys.path.insert(0, str(ROOT))

from app.core.schema import SCHEMA, Kind, Setting

_C_TYPES = {
    Kind.U8: "PARLEY_U8",
    Kind.I8: "PARLEY_I8",
    Kind.U16: "PARLEY_U16",
    Kind.U32: "PARLEY_U32",
    Kind.TEXT: "PARLEY_STR",
}

_TOP = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* Made from app/core/schema.py by firmware/tools/generate_schema.py: change it there, then
   run `./dev generate`. */
/* clang-format off */
#ifndef PARLEY_SCHEMA_H
#define PARLEY_SCHEMA_H

#include "parley_core.h"
"""

_ROW_TYPE = """\
typedef struct {
  const char *key;
  parley_type_t type;
  bool secret;
  int64_t low, high;   /**< of the number, or of the text's length in bytes */
  uint16_t offset;     /**< in parley_settings_t: an int64_t, or char[high + 1] */
  int64_t number;      /**< default */
  const char *text;    /**< default; NULL: a number */
  const char *choices; /**< "a|b"; NULL: any */
} parley_setting_t;
"""


def c_string(text: str) -> str:
    """`text` as a C string literal; bytes that are not plain ASCII as octal."""
    plain = set(range(32, 127)) - {ord('"'), ord("\\"), ord("?")}
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def _enum_name(setting: Setting) -> str:
    return f"PARLEY_KEY_{setting.key.upper()}"


def _field(setting: Setting) -> str:
    if setting.kind is Kind.TEXT:
        return f"  char {setting.key}[{setting.high} + 1];"
    return f"  int64_t {setting.key};"


def _row(setting: Setting) -> str:
    is_text = setting.kind is Kind.TEXT
    cells = (
        f'"{setting.key}"',
        _C_TYPES[setting.kind],
        "true" if setting.secret else "false",
        str(setting.low),
        str(setting.high),
        f"offsetof(parley_settings_t, {setting.key})",
        "0" if is_text else str(setting.default),
        c_string(str(setting.default)) if is_text else "NULL",
        c_string("|".join(setting.choices)) if setting.choices else "NULL",
    )
    return f"  {{{', '.join(cells)}}},"


def header() -> str:
    """The whole text of `parley_schema.h`."""
    for setting in SCHEMA:
        if not 1 <= len(setting.key) <= 15:
            raise SystemExit(f"{setting.key}: an NVS key has 1 to 15 characters")
    lines = [
        _TOP,
        "typedef enum {",
        *(f"  {_enum_name(setting)}," for setting in SCHEMA),
        "  PARLEY_KEY_COUNT,",
        "} parley_key_t;",
        "",
        "/** The settings as they are used; texts end with NUL. */",
        "typedef struct {",
        *(_field(setting) for setting in SCHEMA),
        "} parley_settings_t;",
        "",
        _ROW_TYPE,
        "static const parley_setting_t parley_schema[] = {",
        *(_row(setting) for setting in SCHEMA),
        "};",
        "_Static_assert(sizeof parley_schema / sizeof parley_schema[0] == PARLEY_KEY_COUNT, "
        '"one row for each key");',
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    text = header()
    if arguments == ["--check"]:
        fresh = HEADER.is_file() and HEADER.read_text(encoding="utf-8") == text
        if not fresh:
            sys.stderr.write(f"{HEADER.relative_to(ROOT)} is stale: run ./dev generate\n")
        return 0 if fresh else 1
    if arguments:
        sys.stderr.write(__doc__ or "")
        return 2
    HEADER.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
