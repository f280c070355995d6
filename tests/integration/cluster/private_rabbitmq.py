"""A RabbitMQ of one test module alone, which may be killed, stopped, and told to refuse."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.rabbitmq import RabbitMQ
from tests.services import private_server


class PrivateRabbitMQ(RabbitMQ):
    def address(self, vhost: str = "", user: str | None = None, password: str | None = None, query: str = "") -> str:
        base = self.url if user is None else self.url.replace(self.url.split("@")[0], f"amqp://{user}:{password}")
        return f"{base}{vhost}{query}"

    def cut_connections(self) -> None:
        self._evaluate(
            '[rabbit_networking:close_connection(Pid, <<"cut by the test">>) || Pid <- rabbit_networking:connections()]'
        )

    def add_user(self, name: str, configure: str, write: str, read: str) -> None:
        """Its password is its name."""
        self._evaluate(
            f'catch rabbit_auth_backend_internal:delete_user(<<"{name}">>, <<"test">>), '
            f'ok = rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"{name}">>, <<"test">>), '
            f'ok = rabbit_auth_backend_internal:set_permissions(<<"{name}">>, <<"/">>, <<"{configure}">>, '
            f'<<"{write}">>, <<"{read}">>, <<"test">>)'
        )

    def give_up_slow_consumers_after(self, milliseconds: int) -> None:
        """For queues and channels that are made afterwards; the server looks as often."""
        self._evaluate(
            f"application:set_env(rabbit, consumer_timeout, {milliseconds}), "
            f"application:set_env(rabbit, channel_tick_interval, {milliseconds})"
        )

    def run_out_of_memory(self) -> None:
        self._evaluate("rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []})")

    def have_memory_again(self) -> None:
        self._evaluate("rabbit_alarm:clear_alarm({resource_limit, memory, node()})")


@contextmanager
def private_rabbitmq() -> Iterator[PrivateRabbitMQ]:
    with private_server(RabbitMQ) as plain:
        server = PrivateRabbitMQ(plain.folder)
        try:
            yield server
        finally:
            server.resume()
            server.kill()
