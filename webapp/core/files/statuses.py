"""Who is suspended or gone, by a column of the file that Muster does not use otherwise: "Status", "Active", "Archived"."""

import re
from collections import Counter
from collections.abc import Collection

from webapp.core.files.fields import is_ticked, plain_letters
from webapp.core.files.table import Table

_STATUS = frozenset(
    """
    status state accountstatus accountstate userstatus userstate membershipstatus memberstatus employmentstatus
    employeestatus studentstatus enrollmentstatus enrolmentstatus licensestatus statut etat statutducompte estado
    estadodelacuenta estadodousuario situacao situacion stato statoaccount zustand kontostatus benutzerstatus stan
    stav durum tila статус состояние 状態 状态 狀態 상태
    """.split()  # noqa: SIM905 - words read better than a list of strings
)
_HERE = frozenset(
    """
    active isactive useractive accountactive enabled isenabled accountenabled userenabled current iscurrent employed
    aktiv istaktiv aktiviert actif actifs active activo activa ativo attivo abilitato habilitado actief aktywny aktivni
    aktivo aktif активен активный 有効 有效
    """.split()  # noqa: SIM905
)
_GONE = frozenset(
    """
    suspended issuspended archived isarchived disabled isdisabled accountdisabled deleted isdeleted removed blocked
    isblocked locked islocked inactive isinactive deactivated left hasleft leaver isleaver terminated former withdrawn
    resigned retired expelled graduated alumni banned revoked expired cancelled canceled closed
    gesperrt deaktiviert inaktiv archiviert geloscht ausgeschieden ausgetreten ehemalig ehemalige ehemaliger verlassen beendet
    suspendu suspendue desactive desactivee inactif inactive archive archivee supprime supprimee parti partie quitte bloque
    suspendido suspendida desactivado desactivada inactivo inactiva archivado archivada eliminado eliminada bloqueado baja
    suspenso suspensa desativado desativada inativo inativa arquivado arquivada excluido excluida bloqueada desligado
    sospeso sospesa disattivato disattivata disabilitato inattivo archiviato eliminato cessato
    geschorst opgeschort gedeactiveerd inactief gearchiveerd verwijderd vertrokken
    zawieszony nieaktywny usuniety zablokowany pozastaveny neaktivni smazany
    avstangd inaktiverad borttagen slutat suspendert slettet sluttet inaktiv poistettu
    заблокирован неактивен удален удалён уволен 停止 無効 削除 退職 退学 停用 已删除 已停用 离职 중지 삭제
    """.split()  # noqa: SIM905
)
_NOT = frozenset("not never non nicht nie pas niet inte ikke nao nunca".split())  # noqa: SIM905
_GONE |= {no + here for no in _NOT for here in _HERE}
_PLAIN_NO = frozenset("0 false no falsch nein faux non falso".split())  # noqa: SIM905
_DATE = re.compile(r"\d{4}|\d[./-]\d")
_WORD = re.compile(r"[^\W\d_]+")
_BRACKETS = re.compile(r"[\[(][^\[\]()]*[\])]")
_LONGEST_WORD = 40
_NAMED = 4
"""Words of a column that are named."""


def find_people_gone(
    table: Table, ignored: Collection[int]
) -> tuple[list[int], list[str], list[str]]:
    """The rows of people who are suspended or gone by one of the ignored columns; these columns, and their commonest words."""
    rows = []
    columns = []
    words: Counter[str] = Counter()
    for place in ignored:
        name = table.header[place]
        key = plain_letters(_BRACKETS.sub(" ", name))
        if key not in _STATUS | _HERE | _GONE:
            continue
        filled = [line for line in table.lines if line.cell(place)]
        gone = [line for line in filled if _says_gone(key, line.cell(place))]
        if gone:
            rows += [line.number for line in gone]
            columns.append(name)
            words.update(line.cell(place)[:_LONGEST_WORD] for line in gone)
    return rows, columns, [word for word, _ in words.most_common(_NAMED)]


def _says_gone(key: str, cell: str) -> bool:
    """Whether a cell of this column says that the person is gone."""
    word = plain_letters(cell)
    answer = is_ticked(cell)
    if answer is not None:
        if key in _STATUS:  # NE is a state, and no answer
            return word in _PLAIN_NO
        return answer if key in _GONE else not answer
    if word in _GONE or (key in _GONE and _DATE.search(cell)):
        return True
    words = {plain_letters(word) for word in _WORD.findall(cell)[:4]}
    return bool(words & _GONE) and not words & _NOT
