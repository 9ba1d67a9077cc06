"""Operations that ran before on tensors of the same form: what they gave, without running them again.

A step repeats itself, layer by layer and step by step, and a device without memory computes nothing but
shapes, in Python for the most part. So what an operation of PyTorch or bitsandbytes gave is kept by the
forms of its arguments. Kept are only results that new strided tensors or the arguments themselves make up;
views, what asks for values, and whatever changes the form of an argument is run each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

import torch

_SPACES: Final = ("aten::", "bitsandbytes::")
"""Operations whose results follow from their arguments; those of c10d have groups and streams beside them."""
_RUN_ALWAYS: Final = (torch.Tag.inplace_view, torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
_RESIZING: Final = frozenset({"aten::resize_", "aten::resize_as_", "aten::resize", "aten::set_"})
_VALUES: Final = frozenset(
    {bool, int, float, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format}
)
_MOST: Final = 1 << 16

_Make = Callable[[tuple[Any, ...]], Any]
_empty = torch.ops.aten.empty_strided.default


class Repeats:
    """What operations on the meta device gave, by the forms of their arguments."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Make] = {}
        self._plain: dict[type, bool] = {}
        self._functions: dict[Any, bool] = {}

    def __call__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what *func* gives, which is run only where it was not before."""
        if not self._may_repeat(func):
            return func(*args, **kwargs)
        try:
            key = self._key(func, args, kwargs)
        except _Formless:
            return func(*args, **kwargs)
        make = self._known.get(key)
        if make is not None:
            return make(args)
        result = func(*args, **kwargs)
        if self._key(func, args, kwargs) == key:  # else an argument has another form now
            made = _maker(result, args)
            if made is not None:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[key] = made
        return result

    def _may_repeat(self, func: Any) -> bool:
        known = self._functions.get(func)
        if known is None:
            schema = func._schema
            views = any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
            reads = any("Tensor" in str(a.type) for a in schema.arguments)
            given = any(a.kwarg_only and a.alias_info is not None for a in schema.arguments)  # out=
            known = self._functions[func] = (
                schema.name.startswith(_SPACES)
                and schema.name not in _RESIZING
                and reads
                and not views
                and not given
                and not any(tag in func.tags for tag in _RUN_ALWAYS)
            )
        return known

    def _key(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable:
        """Return what the result follows from; raises _Formless where that cannot be said."""
        forms = tuple(map(self._form, args))
        named = tuple((name, self._form(value)) for name, value in kwargs.items()) if kwargs else ()
        return func, forms, named, torch.get_default_dtype()

    def _form(self, value: Any) -> Hashable:
        kind = type(value)
        if kind in _VALUES:
            return kind, value
        if kind is tuple or kind is list:
            return tuple(map(self._form, value))
        plain = self._plain.get(kind)
        if plain is None:
            plain = self._plain[kind] = (
                issubclass(kind, torch.Tensor) and kind.__torch_dispatch__ is torch.Tensor.__torch_dispatch__
            )
        if not plain or value.device != _META or value.layout is not torch.strided:
            raise _Formless
        return value.shape, value.stride(), value.dtype


class _Formless(Exception):
    """An argument whose form does not tell what comes of it."""


def _maker(result: Any, args: tuple[Any, ...]) -> _Make | None:
    """Return what makes *result* anew from other *args* of the same forms; None where nothing can."""
    if isinstance(result, torch.Tensor):
        return _tensor_maker(result, args)
    if result is None or type(result) in (int, float, bool):
        return lambda _: result
    if type(result) not in (tuple, list):
        return None
    makers = [_maker(each, args) for each in result]
    if any(make is None for make in makers):
        return None
    of: Callable[[Iterable[Any]], Any] = type(result)
    return lambda args: of([make(args) for make in makers if make is not None])


def _tensor_maker(result: torch.Tensor, args: tuple[Any, ...]) -> _Make | None:
    for number, argument in enumerate(args):
        if argument is result:
            return lambda args: args[number]
    shape, stride, dtype = result.shape, result.stride(), result.dtype
    storage = result.untyped_storage()
    shared = any(storage._cdata == each.untyped_storage()._cdata for each in _tensors(args))
    if type(result) is not torch.Tensor or result.device != _META or shared or result._is_zerotensor():
        return None
    alike = torch.empty_strided(shape, stride, dtype=dtype, device="meta")
    if alike.untyped_storage().nbytes() != storage.nbytes() or result.storage_offset():
        return None
    return lambda _: _empty(shape, stride, dtype=dtype, device=_META)


_META: Final = torch.device("meta")


def _tensors(values: Iterable[Any]) -> Iterable[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
