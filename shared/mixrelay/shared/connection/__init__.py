"""Clients of Redis or Valkey, made from an address: one server, what Sentinel names, a cluster.

A cluster is known by `slots.py` (which node serves which slot) and `topology.py` (asking the
nodes for that); `nodes.py` and `async_nodes.py` send one exchange to the node of a key, and
`cluster_client.py` makes of it a client like any other.
"""

from mixrelay.shared.connection.addresses import ClusterAddress, SentinelAddress, is_cluster
from mixrelay.shared.connection.async_nodes import AsyncNodes
from mixrelay.shared.connection.clients import (
    certificate_trouble,
    client_options,
    connect,
    infos,
    masters,
    node_of,
    nodes_at,
    shorten_timeouts,
)
from mixrelay.shared.connection.given import Given
from mixrelay.shared.connection.nodes import Nodes, OneNode
from mixrelay.shared.connection.topology import REFUSALS, NotACluster
from mixrelay.shared.masking import mask

__all__ = [
    "REFUSALS",
    "AsyncNodes",
    "ClusterAddress",
    "Given",
    "Nodes",
    "NotACluster",
    "OneNode",
    "SentinelAddress",
    "certificate_trouble",
    "client_options",
    "connect",
    "infos",
    "is_cluster",
    "mask",
    "masters",
    "node_of",
    "nodes_at",
    "shorten_timeouts",
]
