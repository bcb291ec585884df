"""A chain behind a node's JSON-RPC: the second adapter of the port."""

from countermand.solana.rpc.chain import RpcChain

__all__ = ["RpcChain"]
