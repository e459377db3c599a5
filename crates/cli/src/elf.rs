//! What an ELF file's headers say about whether a preload gets into it.
//!
//! Only headers, notes and section names are read, whatever the size of the file. Nothing here
//! knows libmif.so, policies or privileges; `program` compares and judges.

use std::fmt;
use std::fs::File;

use object::Endianness;
use object::elf;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};

/// The marks of one ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    /// What it is built for.
    pub(crate) target: Target,
    /// The dynamic loader that it names (`PT_INTERP`); static programs, static-pie ones included,
    /// and shared objects name none.
    pub(crate) loader: Option<String>,
    /// Built by the Go toolchain, which makes its own system calls even where it links libc.
    pub(crate) go: bool,
}

/// Machine, class and byte order: a process is of one kind only, its libraries included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    machine: u16,
    bits: u8,
    little_endian: bool,
}

impl Elf {
    /// The marks of an ELF file.
    ///
    /// # Errors
    /// What is malformed; a file that is no ELF file is malformed, too.
    pub(crate) fn read(file: File) -> object::Result<Self> {
        let cache = ReadCache::new(file);
        match object::FileKind::parse(&cache)? {
            object::FileKind::Elf32 => marks::<elf::FileHeader32<Endianness>>(&cache),
            _ => marks::<elf::FileHeader64<Endianness>>(&cache),
        }
    }
}

fn marks<H: FileHeader<Endian = Endianness>>(data: &ReadCache<File>) -> object::Result<Elf> {
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let mut marks = Elf {
        target: Target {
            machine: header.e_machine(endian).0,
            bits: if header.is_type_64() { 64 } else { 32 },
            little_endian: header.is_little_endian(),
        },
        loader: None,
        go: false,
    };
    for segment in header.program_headers(endian, data)? {
        if let Some(loader) = segment.interpreter(endian, data)? {
            marks.loader = Some(String::from_utf8_lossy(loader).into_owned());
        }
        if let Some(mut notes) = segment.notes(endian, data)? {
            while let Some(note) = notes.next()? {
                marks.go |= note.name() == b"Go";
            }
        }
    }
    // A stripped file may have lost its notes or its sections, rarely both.
    let sections = header.sections(endian, data)?;
    for section in sections.iter() {
        let name = sections.section_name(endian, section)?;
        marks.go |= name == b".go.buildinfo" || name == b".note.go.buildid";
    }
    Ok(marks)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.little_endian {
            ""
        } else {
            ", big-endian"
        };
        match elf::Machine(self.machine) {
            elf::EM_386 => f.write_str("i386")?,
            elf::EM_X86_64 => f.write_str("x86-64")?,
            elf::EM_ARM => f.write_str("arm")?,
            elf::EM_AARCH64 => f.write_str("aarch64")?,
            elf::EM_RISCV => f.write_str("riscv")?,
            elf::EM_PPC64 => f.write_str("ppc64")?,
            elf::EM_S390 => f.write_str("s390")?,
            other => write!(f, "machine {}", other.0)?,
        }
        write!(f, " ({} bit{order})", self.bits)
    }
}
