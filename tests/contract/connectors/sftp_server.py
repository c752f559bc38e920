"""A real SFTP server over loopback (paramiko's server side): each user has a folder of this machine, and nothing else."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import paramiko

PASSWORD = "sftp-sandbox-password"


class Account:
    """One user of the server; what differs from case to case stands here.

    Attributes:
        home: The user's folder.
        key: The public key that lets the user in, None for none.
        log: (what, name) of everything that was asked.
        break_after: Bytes that a download gives before the connection breaks off; None: it does not.
        on_read: Called with a file's path before its first byte is given.
        may_write: The user may put, rename and remove files, too.
        has_posix_rename: The server has OpenSSH's extension, which replaces a file that is there.
        is_locked: The user is not let in any more.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.key: paramiko.PKey | None = None
        self.log: list[tuple[str, str]] = []
        self.break_after: int | None = None
        self.on_read: Any = None
        self.may_write = False
        self.has_posix_rename = True
        self.is_locked = False


class Server:
    """The listener; one for the life of the process."""

    def __init__(self) -> None:
        self.host_key = paramiko.ECDSAKey.generate()
        self.rsa_key = paramiko.RSAKey.generate(2048)
        self.accounts: dict[str, Account] = {}
        self._is_away = False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def line(self) -> str:
        """Its key as ssh-keyscan prints it."""
        return line_of(self.host_key)

    def account(self, home: Path) -> tuple[str, Account]:
        """A new user, and what the case may change."""
        name = f"user{len(self.accounts)}"
        self.accounts[name] = Account(home)
        return name, self.accounts[name]

    def leave(self) -> Callable[[], object]:
        """Hang up on everybody; gives what ends it."""
        self._is_away = True
        return lambda: setattr(self, "_is_away", False)

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._is_away:
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        transport = paramiko.Transport(connection)
        transport.add_server_key(self.host_key)
        transport.add_server_key(self.rsa_key)
        login = _Login(self)
        transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, login, transport)
        try:
            transport.start_server(server=login)
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()


class _Login(paramiko.ServerInterface):
    def __init__(self, server: Server) -> None:
        self._server = server
        self.account: Account | None = None

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        return self._let_in(username, password == PASSWORD)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = self._server.accounts.get(username)
        return self._let_in(username, known is not None and known.key is not None and known.key.get_base64() == key.get_base64())

    def _let_in(self, username: str, is_right: bool) -> int:
        known = self._server.accounts.get(username)
        if not is_right or known is None or known.is_locked:
            return paramiko.AUTH_FAILED
        self.account = known
        return paramiko.AUTH_SUCCESSFUL


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: Any, login: _Login, transport: paramiko.Transport) -> None:
        super().__init__(server)
        assert login.account is not None
        self._account = login.account
        self._transport = transport

    def _at(self, path: str) -> Path:
        return self._account.home / self.canonicalize(path).lstrip("/")

    def list_folder(self, path: str) -> Any:
        self._account.log.append(("list", path))
        try:
            # Names go out as the bytes that they are, whatever they mean.
            return [paramiko.SFTPAttributes.from_stat(one.lstat(), os.fsencode(one.name)) for one in self._at(path).iterdir()]
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._at(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return self._open_new(path) if self._account.may_write else self._refused("write", path)
        self._account.log.append(("open", path))
        if self._account.on_read is not None:
            self._account.on_read(self._at(path))
        try:
            handle = _Handle(self._account, self._transport)
            handle.readfile = self._at(path).open("rb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return handle

    def _refused(self, what: str, path: str) -> int:
        self._account.log.append((f"refused to {what}", path))
        return paramiko.SFTP_PERMISSION_DENIED

    def _open_new(self, path: str) -> Any:
        self._account.log.append(("write", path))
        try:
            handle = _Handle(self._account, self._transport)
            handle.writefile = self._at(path).open("wb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return handle

    def remove(self, path: str) -> int:
        if not self._account.may_write:
            return self._refused("remove", path)
        try:
            self._at(path).unlink()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return paramiko.SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        if not self._account.may_write:
            return self._refused("rename", oldpath)
        return paramiko.SFTP_FAILURE if self._at(newpath).exists() else self._renamed(oldpath, newpath)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self._renamed(oldpath, newpath) if self._account.has_posix_rename else paramiko.SFTP_OP_UNSUPPORTED

    def _renamed(self, oldpath: str, newpath: str) -> int:
        self._account.log.append(("move", oldpath))
        try:
            self._at(oldpath).rename(self._at(newpath))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return paramiko.SFTP_OK


class _Handle(paramiko.SFTPHandle):
    def __init__(self, account: Account, transport: paramiko.Transport) -> None:
        super().__init__()
        self._account = account
        self._transport = transport

    def read(self, offset: int, length: int) -> Any:
        limit = self._account.break_after
        if limit is not None and offset >= limit:
            self._transport.close()
            return paramiko.SFTP_CONNECTION_LOST
        return super().read(offset, length)


def line_of(key: paramiko.PKey) -> str:
    """A key as ssh-keyscan prints it."""
    return f"127.0.0.1 {key.get_name()} {key.get_base64()}"


@cache
def server() -> Server:
    """The one of this process."""
    return Server()


def private_key_text(key: paramiko.PKey, passphrase: str | None = None) -> str:
    """A key as its file holds it."""
    file = io.StringIO()
    key.write_private_key(file, passphrase)
    return file.getvalue()
