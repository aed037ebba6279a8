"""Networks: after ``v1/topdown/cidr.go`` and Go's ``net``. IPv4 within IPv6 is not answered."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from policy.preflight.computed.values import Fails, Unsure, Value, a_set, array, is_array, is_set, members, text

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_CHARACTERS = re.compile(r"[0-9A-Fa-f:.]+")
_LENGTH = re.compile(r"[0-9]{1,3}")
_MANY = 1 << 14


def _address(given: str) -> Address:
    if not _CHARACTERS.fullmatch(given):
        raise Fails("no address")
    try:
        found = ipaddress.ip_address(given)
    except ValueError as error:
        raise Fails("no address") from error
    if isinstance(found, IPv6Address) and ("." in given or int(found) >> 32 in (0, 0xFFFF)):
        raise Unsure("IPv4 within IPv6")
    return found


def _network(value: Value) -> Network:
    address, slash, length = text(value).partition("/")
    if not slash or not _LENGTH.fullmatch(length):
        raise Fails("no network")
    found = _address(address) if address != "::" else IPv6Address(0)
    if int(length) > found.max_prefixlen:
        raise Fails("no network")
    network = ipaddress.ip_network((int(found), int(length)) if found.version == 4 else f"{found}/{length}", False)
    if isinstance(network, IPv6Network) and int(length) > 95 and int(network[0]) >> 32 in (0, 0xFFFF):
        raise Unsure("IPv4 within IPv6")
    return network


def contains(value: Value, other: Value) -> Value:
    """net.cidr_contains: of a network or an address."""
    network = _network(value)
    try:
        inner = ipaddress.ip_network(_address(text(other)))
    except Fails:
        inner = _network(other)
    return _within(network, inner)


def _within(network: Network, inner: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(inner, IPv4Network) and inner.subnet_of(network)
    return isinstance(inner, IPv6Network) and inner.subnet_of(network)


def intersects(value: Value, other: Value) -> Value:
    """net.cidr_intersects"""
    one, two = _network(value), _network(other)
    return one.version == two.version and (_within(one, two) or _within(two, one))


def is_valid(value: Value) -> Value:
    """net.cidr_is_valid"""
    try:
        _network(value)
    except Fails:
        return False
    return True


def expand(value: Value) -> Value:
    """net.cidr_expand"""
    network = _network(value)
    if network.num_addresses > _MANY:
        raise Unsure(f"a network of more than {_MANY} addresses")
    return a_set([str(address) for address in network])


def merge(value: Value) -> Value:
    """net.cidr_merge"""
    networks = [_one(member) for member in members(value)]
    if len({network.version for network in networks}) > 1 or any(not int(network[0]) for network in networks):
        raise Unsure("both families, or a network that begins with 0")
    pending = sorted(networks, key=lambda network: (int(network[-1]), int(network[0])))
    ranges = [(int(network[0]), int(network[-1]), [network]) for network in pending]
    for at in range(len(ranges) - 1, 0, -1):
        first, last, _ = ranges[at]
        before_first, before_last, _ = ranges[at - 1]
        if first - 1 <= before_last:
            ranges[at - 1 : at + 1] = [(min(first, before_first), last, [])]
    kind = IPv6Address if networks and networks[0].version == 6 else IPv4Address
    found = []
    for first, last, whole in ranges:
        found += whole or list(ipaddress.summarize_address_range(kind(first), kind(last)))
    return a_set([str(network) for network in found])


def _one(member: Value) -> Network:
    if not isinstance(member, str):
        raise Fails("an element that is no text")
    if "/" not in member:
        _address(member)
        raise Unsure("an address without its length")
    return _network(member)


def contains_matches(value: Value, other: Value) -> Value:
    """net.cidr_contains_matches"""
    return a_set(
        [array([one, two]) for network, one in _indexed(value) for inner, two in _indexed(other)
         if contains(network, inner)]
    )  # fmt: skip


def _indexed(value: Value) -> list[tuple[Value, Value]]:
    if isinstance(value, str):
        return [(value, value)]
    if is_array(value):
        return [(_cidr(member), at) for at, member in enumerate(members(value))]
    if is_set(value):
        return [(_cidr(member), member) for member in members(value)]
    if isinstance(value, dict):
        return [(_cidr(member), key) for key, member in value.items()]
    raise Fails("neither text nor a collection")


def _cidr(member: Value) -> Value:
    if isinstance(member, str):
        return member
    if is_array(member) and len(member) > 1:
        return member[1]
    raise Fails("an element that is neither text nor an array")
