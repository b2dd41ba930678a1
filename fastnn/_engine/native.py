"""LLVM IR -> machine code -> address, through llvmlite alone.

Only compiling a formula needs numba (see `specialise`); its IR is linked into ours here, optimised and
emitted as one self-contained object file. Loading such a file takes under a millisecond and needs
llvmlite.binding only, so that a process whose kernels are all in the disk cache never imports numba.
"""

import ctypes
import functools
import os
import threading

import llvmlite.binding as llvm

#: Held by whoever compiles or loads. A fork waits for it: in the child the other threads are gone, and what they were
#: in the middle of (the import of numba, the locks of its compiler) would stay as it is for ever.
COMPILING = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=COMPILING.acquire, after_in_parent=COMPILING.release, after_in_child=COMPILING.release)


@functools.cache
def host() -> tuple[str, str]:
    """(name, feature string) of the CPU that the code is made for."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _target_machine():
    name, features = host()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=features, opt=3, jit=True, codemodel="jitdefault")


def scalar_ir(dispatcher, signature) -> tuple[str, str]:
    """(LLVM IR, symbol) of a numba function compiled for a numba signature with its return type.

    The symbol follows numba's calling convention: `i32 symbol(result*, exception info**, arguments...)`,
    with 0 for success.
    """
    dispatcher.compile(signature)
    compiled = dispatcher.overloads[signature.args]
    return compiled.library.get_llvm_str(), compiled.fndesc.mangled_name


def promise(symbol: str) -> None:
    """Let numba load, never to be run, code that declares a symbol which only `link` will define.

    numba loads all that it compiles into an engine of its own, where an unknown symbol ends the process.
    """
    llvm.add_symbol(symbol, ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value)


def link(entry_ir: str, parts_ir: list[str], *exported: str, inline: bool = True):
    """The optimised module with `exported` and what they need; loops have the formulas they call inlined."""
    machine = _target_machine()
    module = llvm.parse_assembly(entry_ir)
    for part in parts_ir:
        module.link_in(llvm.parse_assembly(part))
    for function in module.functions:
        if not function.is_declaration and function.name not in exported:
            function.linkage = "internal"
            if inline:  # LLVM judges float64 erf too large, and a loop with a call in it is a scalar loop
                function.add_function_attribute("alwaysinline")
    for variable in module.global_variables:
        if not variable.is_declaration:
            variable.linkage = "internal"
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module, machine


def optimised(entry_ir: str, parts_ir: list[str], *exported: str) -> str:
    """The optimised module as IR, to be linked into others."""
    with COMPILING:
        return str(link(entry_ir, parts_ir, *exported)[0])


def compile_object(entry_ir: str, parts_ir: list[str], *exported: str, inline: bool = True) -> bytes:
    """Machine code, as an object file, of a module's exported functions."""
    with COMPILING:
        module, machine = link(entry_ir, parts_ir, *exported, inline=inline)
        return machine.emit_object(module)


def assembly(entry_ir: str, parts_ir: list[str], *exported: str) -> str:
    """The same as assembly text, to see whether a loop was vectorised."""
    with COMPILING:
        module, machine = link(entry_ir, parts_ir, *exported)
        return machine.emit_assembly(module)


@functools.cache
def _engine():
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())


def load(object_file: bytes, *symbols: str) -> list[int]:
    """Addresses of symbols after loading the object file into the process, for good."""
    with COMPILING:
        host()
        engine = _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(object_file))
        engine.finalize_object()
        return [engine.get_function_address(symbol) for symbol in symbols]
