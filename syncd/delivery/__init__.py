"""Where finished files go: whole or not at all, under a name that nobody sees before. Imported by wiring only."""

from syncd.delivery.folder import FolderDrop as FolderDrop
from syncd.delivery.folder import alone as alone
from syncd.delivery.server import SftpDrop as SftpDrop
