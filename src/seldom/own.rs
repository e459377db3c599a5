//! What the linker would otherwise take from a newer libc, or from the compiler's start files.

use std::arch::global_asm;
use std::ffi::{c_int, c_void};
use std::ptr;

use libc::{Elf64_Ehdr, Elf64_Phdr};

// The handle of this object that destructors of thread-locals are registered with. With it no start
// files are linked (build.rs), which have the dynamic linker look four symbols up. Weak as in the standard
// library, or the assembler warns.
global_asm!(
    ".hidden __dso_handle",
    ".weak __dso_handle",
    ".pushsection .data.rel.ro.dso_handle, \"aw\", %progbits",
    ".p2align 3",
    "__dso_handle: .quad __dso_handle",
    ".popsection",
);

// `dlsym` by the version from before glibc 2.34, when it was libdl's. It sees who calls by the
// return address, so it is jumped to.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".hidden dlsym",
    ".globl dlsym",
    ".type dlsym, %function",
    ".symver libc_dlsym, dlsym@GLIBC_2.2.5",
    ".pushsection .text.dlsym, \"ax\", %progbits",
    "dlsym: jmp qword ptr [rip + libc_dlsym@GOTPCREL]",
    ".popsection",
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".hidden dlsym",
    ".globl dlsym",
    ".type dlsym, %function",
    ".symver libc_dlsym, dlsym@GLIBC_2.17",
    ".pushsection .text.dlsym, \"ax\", %progbits",
    ".p2align 2",
    "dlsym:",
    "adrp x16, :got:libc_dlsym",
    "ldr x16, [x16, :got_lo12:libc_dlsym]",
    "br x16",
    ".popsection",
);

// What the unwinder asks, new in glibc 2.35. A panic is caught in this object, so the unwinder in it
// need know no other.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".hidden _dl_find_object",
    ".globl _dl_find_object",
    ".type _dl_find_object, %function",
    ".pushsection .text._dl_find_object, \"ax\", %progbits",
    "_dl_find_object: jmp {find}",
    ".popsection",
    find = sym find_object,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".hidden _dl_find_object",
    ".globl _dl_find_object",
    ".type _dl_find_object, %function",
    ".pushsection .text._dl_find_object, \"ax\", %progbits",
    ".p2align 2",
    "_dl_find_object: b {find}",
    ".popsection",
    find = sym find_object,
);

/// `struct dl_find_object` of dlfcn.h, to where the unwinder reads.
#[repr(C)]
struct Object {
    flags: u64,
    start: *const c_void,
    end: *const c_void,
    link_map: *const c_void,
    eh_frame: *const c_void,
    eh_data_base: *const c_void,
}

unsafe extern "C" {
    /// The linker's: where this object begins.
    #[link_name = "__ehdr_start"]
    static HEADER: Elf64_Ehdr;
}

/// Says of an address in this object where the tables for unwinding are; -1 of any other.
unsafe extern "C" fn find_object(address: *const c_void, found: *mut Object) -> c_int {
    let header = &raw const HEADER;
    let start = header.cast::<u8>();
    // SAFETY: the linker's header of this object, which is mapped with it.
    let Elf64_Ehdr {
        e_phoff, e_phnum, ..
    } = unsafe { *header };
    let segments = header.wrapping_byte_add(usize::try_from(e_phoff).unwrap_or(0));
    // SAFETY: the header says where the segments are listed, and how many.
    let segments =
        unsafe { std::slice::from_raw_parts(segments.cast::<Elf64_Phdr>(), usize::from(e_phnum)) };
    let at = |offset: u64| start.wrapping_add(usize::try_from(offset).unwrap_or(0));
    let of = |kind: u32| {
        segments
            .iter()
            .filter(move |segment| segment.p_type == kind)
    };
    let end = of(libc::PT_LOAD)
        .map(|segment| at(segment.p_vaddr + segment.p_memsz))
        .max();
    let tables = of(libc::PT_GNU_EH_FRAME)
        .map(|segment| at(segment.p_vaddr))
        .next();
    let (Some(end), Some(tables)) = (end, tables) else {
        return -1;
    };
    if !(start..end).contains(&address.cast()) {
        return -1;
    }
    let object = Object {
        flags: 0,
        start: start.cast(),
        end: end.cast(),
        link_map: ptr::null(),
        eh_frame: tables.cast(),
        eh_data_base: ptr::null(),
    };
    // SAFETY: the unwinder's own, to be filled in.
    unsafe { found.write(object) };
    0
}
