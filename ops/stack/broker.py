"""A private RabbitMQ node: its own data, ports, Erlang cookie and port mapper, all on the loopback address."""

from __future__ import annotations

import json
import os
import secrets
import shlex
from pathlib import Path

from accounts import broker as accounts

from .certificates import Certificates
from .failure import Failure
from .layout import Layout
from .network import HOST
from .processes import Process, start
from .state import write_privately

# Debian's wrapper on the PATH changes the user and takes the system's folders; the scripts behind it do not.
SCRIPTS = Path("/usr/lib/rabbitmq/bin")
# One name for every stack: a node's name is known only to the port mapper it registers with, and each stack has its
# own. A name made from the folder would lose the data when the folder is moved.
NODE = "millrace@localhost"
# May do everything; services have users of their own.
USER = "administrator"
VIRTUAL_HOST = "/"
# Enough for thousands of chunks in flight, and small enough to stop a runaway publisher before the machine swaps.
MEMORY_LIMIT = "1GB"
DISK_FREE_LIMIT = "50MB"
DRAIN_SECONDS = 30.0
# Where a broker with certificates takes TLS connections: the address that they name, and one that they do not.
TLS_HOSTS = (HOST, "127.0.0.2")


class Broker:
    """Writes the configuration of one private node, and starts it."""

    def __init__(
        self,
        layout: Layout,
        ports: tuple[int, int, int],
        virtual_hosts: list[str],
        name: str = "rabbitmq",
        memory_limit: str = MEMORY_LIMIT,
        erlang_options: str = "",
    ):
        self.port, self.distribution_port, self.mapper_port = ports
        self.name = name
        self.node = NODE if name == "rabbitmq" else f"{name}@localhost"
        self._layout = layout
        self._folder = layout.directory / name
        self._folder.mkdir(exist_ok=True)
        self._home = self._folder / "home"
        self._virtual_hosts = virtual_hosts
        self._queue_type: str | None = None
        self._memory_limit = memory_limit
        self._erlang_options = erlang_options
        self._tls: tuple[int, Certificates] | None = None
        self._password = self._remembered_password()
        self._guarded_hosts: list[str] = []
        # New at each start: nobody but the processes of this start needs them.
        self._passwords = {name: secrets.token_hex(16) for name in accounts.users()}

    def url_of(self, virtual_host: str) -> str:
        """The address with the user who may do everything."""
        return self._url(USER, self._password, virtual_host)

    def url_for(self, service: str, virtual_host: str = VIRTUAL_HOST) -> str:
        """The address with a service's own user, in a virtual host that is guarded."""
        return self._url(service, self._passwords[service], virtual_host)

    def _url(self, user: str, password: str, virtual_host: str) -> str:
        name = "%2f" if virtual_host == "/" else virtual_host
        return f"amqp://{user}:{password}@{HOST}:{self.port}/{name}"

    def guard(self, virtual_hosts: list[str]) -> None:
        """Gives the services users of their own in these virtual hosts (ops/rabbitmq/definitions.json), at the next start."""
        self._guarded_hosts = virtual_hosts

    def take_tls(self, port: int, certificates: Certificates) -> None:
        """Makes the node, which has not been started yet, take TLS connections on a port of their own as well."""
        self._tls = (port, certificates)

    def share_secrets_of(self, other: Broker) -> None:
        """Makes the node, which has not been started yet, know the cookie and the password of another."""
        self._home = other._home
        self._password = other._password

    def use_quorum_queues(self) -> None:
        """Makes every shared queue of the node's virtual hosts a quorum queue, unless its declaration says otherwise."""
        self._queue_type = "quorum"

    @property
    def ports(self) -> list[int]:
        """Every port that is open once the node has started."""
        return [self.port] + ([self._tls[0]] if self._tls is not None else [])

    @property
    def tls_url(self) -> str:
        """The address by name, since that is what a certificate vouches for."""
        assert self._tls is not None
        return f"amqps://{USER}:{self._password}@localhost:{self._tls[0]}/%2f"

    @property
    def control(self) -> Path:
        """A rabbitmqctl that talks to this node and to no other."""
        return self._folder / "rabbitmqctl"

    @property
    def server(self) -> Path:
        """A rabbitmq-server that runs this node."""
        return self._folder / "rabbitmq-server"

    def start_mapper(self) -> Process:
        """Starts the Erlang port mapper ourselves: the node would start one that outlives it."""
        process = start(
            "epmd",
            ["epmd", "-address", HOST, "-port", str(self.mapper_port)],
            {},
            self._layout.log("epmd"),
        )
        process.port = self.mapper_port
        process.drain_seconds = 5.0
        return process

    def start_node(self) -> Process:
        """Writes the configuration and starts the node; it takes connections some seconds later."""
        if not (SCRIPTS / "rabbitmq-server").exists():
            raise Failure(f"{SCRIPTS}/rabbitmq-server is missing", "apt-get install rabbitmq-server")
        self._write_configuration()
        process = start(self.name, [str(self.server)], {}, self._layout.log(self.name), self._clean_environment())
        process.port = self.port
        process.drain_seconds = DRAIN_SECONDS
        return process

    def _remembered_password(self) -> str:
        """The broker's password, made once and kept for the next start, since the node's data outlive it."""
        path = self._folder / "password"
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            password = secrets.token_hex(16)
            write_privately(path, password + "\n")
            return password

    def _write_configuration(self) -> None:
        folder = self._folder
        self._make_cookie()
        write_privately(folder / "definitions.json", json.dumps(self._definitions(), indent=2) + "\n")
        write_privately(
            folder / "rabbitmq.conf",
            f"listeners.tcp.local = {HOST}:{self.port}\n"
            f"load_definitions = {folder}/definitions.json\n"
            f"vm_memory_high_watermark.absolute = {self._memory_limit}\n"
            f"disk_free_limit.absolute = {DISK_FREE_LIMIT}\n"
            "log.console = true\n"
            "log.console.level = warning\n" + self._tls_configuration(),
        )
        (folder / "enabled_plugins").write_text("[].\n")
        for script in (self.server, self.control):
            self._write_script(script)

    def _make_cookie(self) -> None:
        """What nodes and their tools know one another by; Erlang would make it, but not for three nodes at a time."""
        cookie = self._home / ".erlang.cookie"
        self._home.mkdir(exist_ok=True)
        if not cookie.exists():
            write_privately(cookie, secrets.token_hex(16))

    def _tls_configuration(self) -> str:
        if self._tls is None:
            return ""
        port, certificates = self._tls
        listeners = "".join(f"listeners.ssl.{place} = {host}:{port}\n" for place, host in enumerate(TLS_HOSTS, 1))
        return (
            f"{listeners}"
            f"ssl_options.cacertfile = {certificates.authority}\n"
            f"ssl_options.certfile = {certificates.server}\n"
            f"ssl_options.keyfile = {certificates.server_key}\n"
            # Clients say who they are by user and password.
            "ssl_options.verify = verify_none\n"
            "ssl_options.fail_if_no_peer_cert = false\n"
        )

    def _definitions(self) -> dict[str, object]:
        """Users, virtual hosts and permissions, loaded at every start; only salted hashes of passwords are in it."""
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        kind = {} if self._queue_type is None else {"metadata": {"default_queue_type": self._queue_type}}
        made = accounts.definitions(self._passwords, self._guarded_hosts)
        if not self._guarded_hosts:
            made["users"] = []
        made["vhosts"] = [{"name": name} | kind for name in self._virtual_hosts]
        made["users"].append(accounts.user(USER, self._password, "administrator"))
        made["permissions"] += [{"user": USER, "vhost": name} | everything for name in self._virtual_hosts]
        return made

    def _write_script(self, path: Path) -> None:
        exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in self._environment().items())
        path.write_text(f"#!/bin/sh\n{exports}exec {SCRIPTS}/{path.name} \"$@\"\n")
        path.chmod(0o700)

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "HOME": str(self._home),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            # Named so that the system's files of these kinds are not read.
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/rabbitmq-env.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-start_epmd false {loopback} {self._erlang_options}".rstrip(),
            "RABBITMQ_CTL_ERL_ARGS": f"-start_epmd false {loopback}",
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self.mapper_port),
            # Makes the start script turn into the node instead of waiting for it: one process, one id.
            "detached": "true",
        }

    @staticmethod
    def _clean_environment() -> dict[str, str]:
        """Ours, without what a developer may have set for a RabbitMQ or an Erlang of their own."""
        foreign = ("RABBITMQ_", "ERL_")
        return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
