"""What arrived in a mailbox of the simulated mail server: codes and links that verify its address."""

import re

from tests.kit.simulator import Simulator


def mails_to(simulator: Simulator, address: str) -> list[dict]:
    return [one for one in simulator.received("smtp") if address in one["to"]]


def code_in(mail: dict) -> str:
    return re.findall(r"\b\d{6}\b", mail["text"])[0]


def link_in(mail: dict) -> str:
    return re.findall(r"https?://\S+", mail["text"])[0]
