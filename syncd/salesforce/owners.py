"""Who may own records: queues and users by name, and which users are still active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.errors import ConfigError
from syncd.salesforce.connection import Connection
from syncd.salesforce.ids import is_sf_id, quoted, select, to_18
from syncd.salesforce.queries import query

_USERS_PER_QUERY = 200
"""As literals in a GET: some 5,500 of the 16,384 bytes (reference salesforce.md 4.2)."""
_USER_PREFIX = "005"
_GROUP_LEVELS = 5


class Owners:
    """Looks owners up; names are remembered, because configuration holds few of them."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is sent yet."""
        self._connection = connection
        self._owners: dict[tuple[str, str], str] = {}

    def active_users(self, sf_ids: Sequence[str]) -> dict[str, bool]:
        """Whether each is an active user, by the ids given; False for queues and for what is gone. One call per 200 users.

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
        """
        users = list(dict.fromkeys(to_18(one) for one in sf_ids if is_sf_id(one) and one.startswith(_USER_PREFIX)))
        active: set[str] = set()
        for start in range(0, len(users), _USERS_PER_QUERY):
            literals = ",".join(quoted(one) for one in users[start : start + _USERS_PER_QUERY])
            rows = query(self._connection, select(("Id", "IsActive"), "User", f"Id IN ({literals})"))
            active |= {to_18(str(one.get("Id"))) for one in rows if isinstance(one, Mapping) and one.get("IsActive") is True}
        return {one: to_18(one) in active for one in sf_ids}

    def queue_members(self, queue_id: str) -> list[str]:
        """Ids of the active users who are members of a queue, by themselves or through public groups; sorted.

        Groups inside groups are followed some levels deep. Members by role or territory are not seen: the org lists those only in
        GroupMember rows of groups that it keeps for itself (Object Reference: GroupMember, Group.Type).

        Raises:
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
        """
        users: set[str] = set()
        seen: set[str] = set()
        groups = [to_18(queue_id)]
        for _ in range(_GROUP_LEVELS):
            groups = [one for one in dict.fromkeys(groups) if one not in seen]
            seen |= set(groups)
            found: list[str] = []
            for start in range(0, len(groups), _USERS_PER_QUERY):
                literals = ",".join(quoted(one) for one in groups[start : start + _USERS_PER_QUERY])
                rows = query(self._connection, select(("Id", "UserOrGroupId"), "GroupMember", f"GroupId IN ({literals})"))
                found += [to_18(str(one.get("UserOrGroupId"))) for one in rows if isinstance(one, Mapping)]
            users |= {one for one in found if one.startswith(_USER_PREFIX)}
            groups = [one for one in found if not one.startswith(_USER_PREFIX) and is_sf_id(one)]
        active = self.active_users(sorted(users))
        return sorted(one for one in users if active[one])

    def owner_id(self, kind: str, name: str) -> str:
        """The id of a queue (`queue`, by DeveloperName or Name) or an active user (`user`, by Username or Name).

        Raises:
            ConfigError: There is none, there are several, or the user is inactive.
            SalesforceUnavailableError, AuthError, BudgetExhausted, ContractError: As Connection.read.
        """
        found = self._owners.get((kind, name))
        if found is None:
            found = self._find_owner(kind, name)
            self._owners[kind, name] = found
        return found

    def _find_owner(self, kind: str, name: str) -> str:
        literal = quoted(name)
        if kind == "queue":
            where = f"Type = 'Queue' AND (DeveloperName = {literal} OR Name = {literal})"
            soql = select(("Id", "Name", "DeveloperName"), "Group", where)
            exact = "DeveloperName"
        elif kind == "user":
            soql = select(("Id", "Name", "Username", "IsActive"), "User", f"Username = {literal} OR Name = {literal}")
            exact = "Username"
        else:
            raise ConfigError(f'An owner is a queue or a user, not "{kind}".')
        rows = [one for one in query(self._connection, soql) if isinstance(one, Mapping) and is_sf_id(one.get("Id"))]
        # The unique name goes before the display name, which several may share.
        named = [one for one in rows if str(one.get(exact) or "").casefold() == name.casefold()] or rows
        if not named:
            raise ConfigError(
                f'Salesforce has no {kind} "{name}".',
                advice=f"Check the name under Setup, {'Queues' if kind == 'queue' else 'Users'}.",
            )
        if len(named) > 1:
            raise ConfigError(
                f'Salesforce has {len(named)} {kind}s named "{name}".',
                advice=f"Give the {exact} instead.",
            )
        if kind == "user" and named[0].get("IsActive") is not True:
            raise ConfigError(
                f'The user "{name}" is inactive in Salesforce and cannot own leads.',
                advice="Name an active user or a queue.",
            )
        return to_18(str(named[0]["Id"]))
