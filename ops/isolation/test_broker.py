"""What RabbitMQ must refuse: each test is a door that has to be shut while the stack runs with the users that ops makes.

RABBIT_<USER> are the addresses of a virtual host in which all services are connected."""

import os
import secrets
import unittest
from collections.abc import Callable

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

GATEWAY, METADATA, STORAGE, TOOL = "video-streaming", "video-metadata", "video-storage", "millrace"
QUEUES = {
    METADATA: ("millrace.metadata.query", "millrace.metadata.command", "millrace.metadata.events"),
    STORAGE: (
        "millrace.storage.read",
        "millrace.storage.write",
        "millrace.storage.administration",
        "millrace.storage.maintenance",
        "millrace.storage.events",
    ),
}
DEAD = ("millrace.metadata.events.dead", "millrace.storage.events.dead", "millrace.metadata.command.dead")
OTHER = {METADATA: STORAGE, STORAGE: METADATA}
EVENT = {METADATA: "metadata.video.deleted", STORAGE: "storage.object.committed"}
EVERYBODY = (GATEWAY, METADATA, STORAGE, TOOL)
ACCESS_REFUSED = 403


def random() -> str:
    """The end of a name such as programs make for themselves."""
    return secrets.token_hex(8)


def short(worker: str) -> str:
    return worker.removeprefix("video-")


def requests(worker: str) -> list[str]:
    return [f"{queue}.requests" for queue in QUEUES[worker] if not queue.endswith(".events")]


class Doors(unittest.TestCase):
    def channel(self, user: str) -> BlockingChannel:
        connection = pika.BlockingConnection(pika.URLParameters(os.environ[f"RABBIT_{user.replace('-', '_').upper()}"]))
        self.addCleanup(lambda: connection.is_open and connection.close())
        return connection.channel()

    def refused(self, user: str, what: str, act: Callable[[BlockingChannel], object]) -> None:
        with self.subTest(f"{user}: {what}"):
            channel = self.channel(user)
            with self.assertRaises(ChannelClosedByBroker) as caught:
                act(channel)
            channel.connection.close()
            self.assertEqual(caught.exception.reply_code, ACCESS_REFUSED, caught.exception.reply_text)

    def cannot_publish(self, user: str, exchange: str, key: str) -> None:
        def act(channel: BlockingChannel) -> None:
            channel.confirm_delivery()
            channel.basic_publish(exchange, key, b"spoofed")

        self.refused(user, f"publish to '{exchange}' with {key}", act)

    def cannot_use(self, user: str, queue: str) -> None:
        """Neither take from a queue, nor look into it, empty it, or delete it."""
        self.refused(user, f"consume {queue}", lambda channel: channel.basic_consume(queue, print))
        self.refused(user, f"get from {queue}", lambda channel: channel.basic_get(queue))
        self.refused(user, f"purge {queue}", lambda channel: channel.queue_purge(queue))
        self.refused(user, f"delete {queue}", lambda channel: channel.queue_delete(queue))

    def own_queue(self, channel: BlockingChannel, user: str) -> str:
        name = f"millrace.reply.{user}.{random()}"
        channel.queue_declare(name, exclusive=True)
        return name

    # What the tests stand on: the doors belong to a house in which somebody lives.

    def test_the_queues_are_there_and_have_workers(self) -> None:
        channel = self.channel(GATEWAY)
        for worker in OTHER:
            for queue in QUEUES[worker]:
                self.assertGreater(channel.queue_declare(queue, passive=True).method.consumer_count, 0, queue)

    def test_a_caller_may_have_a_queue_for_replies(self) -> None:
        for user in (GATEWAY, TOOL):
            channel = self.channel(user)
            queue = self.own_queue(channel, user)
            for worker in OTHER:
                channel.queue_bind(queue, f"millrace.{short(worker)}.reply", queue)

    # Queues.

    def test_the_gateway_takes_from_no_workers_queue(self) -> None:
        for queue in (*QUEUES[METADATA], *QUEUES[STORAGE], *DEAD):
            self.cannot_use(GATEWAY, queue)

    def test_the_tool_takes_from_no_workers_queue(self) -> None:
        for queue in (*QUEUES[METADATA], *QUEUES[STORAGE], *DEAD):
            self.cannot_use(TOOL, queue)

    def test_a_worker_takes_from_no_queue_of_the_other(self) -> None:
        for worker, other in OTHER.items():
            for queue in (*QUEUES[other], *DEAD):
                self.cannot_use(worker, queue)

    def test_a_worker_cannot_delete_what_keeps_its_events(self) -> None:
        for worker in OTHER:
            queue = f"millrace.{short(worker)}.events"
            self.refused(worker, f"delete {queue}", lambda channel, queue=queue: channel.queue_delete(queue))

    def test_nobody_makes_a_queue_that_the_program_does_not_need(self) -> None:
        for user in EVERYBODY:
            names = ["anything", f"millrace.reply.{user}.x", "millrace.reply.another." + random()]
            for worker in OTHER:
                if user != worker:
                    names += [f"millrace.{short(worker)}.spy", QUEUES[worker][0]]
            for name in names:
                self.refused(user, f"declare {name}", lambda channel, name=name: channel.queue_declare(name))

    def test_a_caller_takes_no_replies_to_another(self) -> None:
        for user, other in ((GATEWAY, TOOL), (TOOL, GATEWAY), (METADATA, GATEWAY), (STORAGE, GATEWAY)):
            name = f"millrace.reply.{other}.{random()}"
            channel = self.channel(other)
            self.own_queue(channel, other)
            self.refused(user, f"consume {name}", lambda channel, name=name: channel.basic_consume(name, print))
            self.refused(user, f"delete {name}", lambda channel, name=name: channel.queue_delete(name))
            channel.connection.close()

    # Replies.

    def test_nobody_speaks_for_a_worker(self) -> None:
        for worker in OTHER:
            for user in EVERYBODY:
                if user != worker:
                    key = f"millrace.reply.{GATEWAY}.{random()}"
                    self.cannot_publish(user, f"millrace.{short(worker)}.reply", key)

    def test_nobody_puts_anything_into_a_queue_by_its_name(self) -> None:
        for user in EVERYBODY:
            for queue in (f"millrace.reply.{GATEWAY}.{random()}", *QUEUES[METADATA], *QUEUES[STORAGE], *DEAD):
                self.cannot_publish(user, "", queue)

    def test_no_way_leads_to_a_reply_exchange_through_dead_letters(self) -> None:
        arguments = {"x-dead-letter-exchange": "millrace.storage.reply", "x-message-ttl": 0}
        for user in (GATEWAY, TOOL):
            name = f"millrace.reply.{user}.{random()}"
            self.refused(
                user,
                "declare a queue whose dead letters are replies of storage",
                lambda channel, name=name: channel.queue_declare(name, exclusive=True, arguments=arguments),
            )

    def test_no_way_leads_to_a_reply_exchange_through_a_binding(self) -> None:
        for worker, other in OTHER.items():
            source, target = f"millrace.{short(worker)}.reply", f"millrace.{short(other)}.reply"

            def bind(channel: BlockingChannel, source: str = source, target: str = target) -> None:
                channel.exchange_bind(destination=target, source=source)

            self.refused(worker, f"bind {target} to {source}", bind)

    # Requests.

    def test_a_worker_asks_the_other_for_nothing(self) -> None:
        for worker, other in OTHER.items():
            for exchange in requests(other):
                self.cannot_publish(worker, exchange, exchange.removesuffix(".requests"))

    def test_the_gateway_asks_for_nothing_that_is_an_operators(self) -> None:
        for name in ("administration", "maintenance"):
            self.cannot_publish(GATEWAY, f"millrace.storage.{name}.requests", f"millrace.storage.{name}")

    def test_nobody_hears_what_a_worker_is_asked_for(self) -> None:
        for worker in OTHER:
            for exchange in requests(worker):
                key = exchange.removesuffix(".requests")
                for user in (GATEWAY, TOOL):

                    def listen(channel: BlockingChannel, user: str = user, exchange: str = exchange) -> None:
                        channel.queue_bind(self.own_queue(channel, user), exchange, key)

                    self.refused(user, f"bind a queue to {exchange}", listen)
                own = QUEUES[OTHER[worker]][0]
                self.refused(
                    OTHER[worker],
                    f"bind {own} to {exchange}",
                    lambda channel, own=own, exchange=exchange, key=key: channel.queue_bind(own, exchange, key),
                )

    # Events.

    def test_nobody_tells_an_event_that_is_not_its_own(self) -> None:
        for worker, event in EVENT.items():
            for user in EVERYBODY:
                if user != worker:
                    self.cannot_publish(user, "millrace.events", event)
        for worker in OTHER:
            self.cannot_publish(worker, "millrace.events", "another.event")

    def test_nobody_hears_more_events_than_it_needs(self) -> None:
        def listen(channel: BlockingChannel, user: str, queue: str, key: str) -> None:
            if user == GATEWAY:
                channel.queue_declare(queue, exclusive=True)
            channel.queue_bind(queue, "millrace.events", key)

        own = {GATEWAY: f"millrace.events.{GATEWAY}.{random()}"} | {worker: QUEUES[worker][0] for worker in OTHER}
        for user, queue in own.items():
            for key in ("#", "*.*.*", "storage.object.staged"):
                self.refused(
                    user,
                    f"bind {queue} to events {key}",
                    lambda channel, user=user, queue=queue, key=key: listen(channel, user, queue, key),
                )

    # Exchanges.

    def test_nobody_makes_or_deletes_an_exchange(self) -> None:
        shared = ["millrace.events", "millrace.dead", "millrace.metadata.reply", "millrace.storage.reply"]
        for user in EVERYBODY:
            for name in (*shared, *requests(METADATA), *requests(STORAGE)):
                self.refused(user, f"delete {name}", lambda channel, name=name: channel.exchange_delete(name))
            self.refused(user, "declare an exchange", lambda channel: channel.exchange_declare("millrace.mine"))

    def test_there_is_no_guest(self) -> None:
        address = pika.URLParameters(os.environ["RABBIT_MILLRACE"])
        address.credentials = pika.PlainCredentials("guest", "guest")
        with self.assertRaises(pika.exceptions.ProbableAuthenticationError):
            pika.BlockingConnection(address)


if __name__ == "__main__":
    unittest.main()
