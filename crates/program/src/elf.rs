//! What an ELF file's headers say about whether a preload gets into it.
//!
//! Only headers, notes and section names are read, whatever the size of the file. Nothing here
//! knows libmif.so, policies or privileges; `barrier` compares and judges. The layouts are those of
//! the System V ABI, `elf.h`.

use std::fmt;

use crate::window::Window;

/// The marks of one ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elf {
    /// What it is built for.
    pub target: Target,
    /// The dynamic loader that it names (`PT_INTERP`); static programs, static-pie ones included,
    /// and shared objects name none.
    pub loader: Option<Loader>,
    /// Marks that only Go's linker leaves.
    pub go: bool,
}

/// Machine, class and byte order: a process is of one kind only, its libraries included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    machine: u16,
    bits: u8,
    little_endian: bool,
}

/// The path of a dynamic loader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Loader {
    bytes: [u8; Self::ROOM],
    length: usize,
}

/// Why a file that begins as an ELF file is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

const MAGIC: &[u8] = b"\x7fELF";
const PT_INTERP: u64 = 3;
const PT_NOTE: u64 = 4;
/// The kernel executes no file whose segments are described in more than 64 KiB.
const MOST_SEGMENTS: u64 = 1170;
/// Notes and section names are looked through as far as this; programs have some 500 bytes of them.
const MOST: u64 = 1 << 16;
const GO_SECTIONS: [&[u8]; 2] = [b".go.buildinfo\0", b".note.go.buildid\0"];

impl Elf {
    /// Whether a file that begins so means to be an ELF file.
    #[must_use]
    pub fn begins(head: &[u8]) -> bool {
        head.starts_with(MAGIC)
    }

    /// The marks of an ELF file.
    ///
    /// # Errors
    /// What is malformed; a file that is no ELF file is malformed, too.
    pub fn read(file: &mut Window<'_>) -> Result<Self, Malformed> {
        let ident = file
            .at(0, 16)
            .ok_or(Malformed("Could not read file magic"))?;
        if !Self::begins(ident) {
            return Err(Malformed("Unknown file magic"));
        }
        let layout = Layout {
            wide: ident[4] == 2,
            little_endian: ident[5] == 1,
        };
        if !matches!(ident[4], 1 | 2) || !matches!(ident[5], 1 | 2) {
            return Err(Malformed("Unsupported ELF header"));
        }
        let header = Header::read(file, &layout)?;
        if header.segments.count > MOST_SEGMENTS {
            return Err(Malformed("Too many ELF program headers"));
        }
        let mut marks = Self {
            target: Target {
                machine: header.machine,
                bits: if layout.wide { 64 } else { 32 },
                little_endian: layout.little_endian,
            },
            loader: None,
            go: false,
        };
        for number in 0..header.segments.count {
            let segment = header.segments.at(number);
            let broken = Malformed("Invalid ELF program header size or alignment");
            let [kind, offset, size] = layout.segment(file, segment).ok_or(broken)?;
            match kind {
                PT_INTERP => {
                    let invalid = Malformed("Invalid ELF interpreter offset or size");
                    marks.loader = Some(Loader::read(file, offset, size).ok_or(invalid)?);
                }
                PT_NOTE => marks.go |= layout.has_go_note(file, offset, size),
                _ => {}
            }
        }
        // A stripped file may have lost its notes or its sections, rarely both.
        marks.go = marks.go || layout.has_go_section(file, &header.sections, header.names);
        Ok(marks)
    }
}

/// Where a table of the file is.
struct Entries {
    offset: u64,
    size: u64,
    count: u64,
}

impl Entries {
    fn at(&self, number: u64) -> u64 {
        self.offset.saturating_add(number * self.size)
    }
}

struct Header {
    machine: u16,
    segments: Entries,
    sections: Entries,
    /// Which section has the sections' names.
    names: u64,
}

impl Header {
    fn read(file: &mut Window<'_>, layout: &Layout) -> Result<Self, Malformed> {
        let length = if layout.wide { 64 } else { 52 };
        let invalid = Malformed("Invalid ELF header size or alignment");
        let bytes = file.at(0, length).ok_or(invalid)?;
        let word = layout.word();
        let (phoff, after) = (24 + word, 24 + 3 * word + 4);
        let half = |index: usize| layout.number(&bytes[after + 2 * index..][..2]);
        Ok(Self {
            machine: u16::try_from(layout.number(&bytes[18..20])).unwrap_or_default(),
            segments: Entries {
                offset: layout.number(&bytes[phoff..][..word]),
                size: half(1),
                count: half(2),
            },
            sections: Entries {
                offset: layout.number(&bytes[phoff + word..][..word]),
                size: half(3),
                count: half(4),
            },
            names: half(5),
        })
    }
}

/// How numbers and structures lie in the file.
struct Layout {
    wide: bool,
    little_endian: bool,
}

impl Layout {
    /// Bytes of an address or an offset.
    fn word(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    fn number(&self, bytes: &[u8]) -> u64 {
        let add = |number: u64, &byte: &u8| number << 8 | u64::from(byte);
        if self.little_endian {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        }
    }

    /// Kind, offset and size of a segment.
    fn segment(&self, file: &mut Window<'_>, at: u64) -> Option<[u64; 3]> {
        let (length, offset, size) = if self.wide { (56, 8, 32) } else { (32, 4, 16) };
        let bytes = file.at(at, length)?;
        let word = self.word();
        Some([
            self.number(&bytes[..4]),
            self.number(&bytes[offset..][..word]),
            self.number(&bytes[size..][..word]),
        ])
    }

    fn has_go_note(&self, file: &mut Window<'_>, mut at: u64, size: u64) -> bool {
        let end = at.saturating_add(size.min(MOST));
        let padded = |length: u64| length.next_multiple_of(4);
        while at < end {
            // Sizes of name and description, the kind, and then the name.
            let Some(note) = file.at(at, 16) else {
                return false;
            };
            let name = self.number(&note[..4]);
            if name == 4 && &note[12..] == b"Go\0\0" || name == 3 && &note[12..15] == b"Go\0" {
                return true;
            }
            let description = self.number(&note[4..8]);
            at = at.saturating_add(12 + padded(name) + padded(description));
        }
        false
    }

    fn has_go_section(&self, file: &mut Window<'_>, sections: &Entries, names: u64) -> bool {
        if names >= sections.count {
            return false;
        }
        let (offset, size) = if self.wide { (24, 32) } else { (16, 20) };
        let Some(header) = file.at(sections.at(names), size + self.word()) else {
            return false;
        };
        let start = self.number(&header[offset..][..self.word()]);
        let size = self.number(&header[size..]).min(MOST);
        let end = start.saturating_add(size);
        let mut at = start;
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let Some(piece) = file.up_to(at, left) else {
                return false;
            };
            let has = |name: &&[u8]| piece.windows(name.len()).any(|part| part == *name);
            if GO_SECTIONS.iter().any(has) {
                return true;
            }
            // A name may begin in one piece and end in the next.
            let longest = GO_SECTIONS[1].len();
            if piece.len() <= longest || piece.len() == left {
                return false;
            }
            at += (piece.len() - longest) as u64;
        }
        false
    }
}

impl Loader {
    const ROOM: usize = 128;

    /// Of a path that is longer, the end.
    fn read(file: &mut Window<'_>, offset: u64, size: u64) -> Option<Self> {
        let size = size.checked_sub(1)?;
        let cut = size.saturating_sub(Self::ROOM as u64);
        let path = file.at(offset.checked_add(cut)?, usize::try_from(size - cut).ok()?)?;
        let path = path.split(|&byte| byte == 0).next()?;
        let mut bytes = [0; Self::ROOM];
        bytes[..path.len()].copy_from_slice(path);
        Some(Self {
            bytes,
            length: path.len(),
        })
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.path()))
    }
}

impl Target {
    /// What this very code is built for.
    pub const HERE: Self = Self {
        machine: if cfg!(target_arch = "x86_64") {
            EM_X86_64
        } else if cfg!(target_arch = "aarch64") {
            EM_AARCH64
        } else if cfg!(target_arch = "riscv64") {
            EM_RISCV
        } else if cfg!(target_arch = "powerpc64") {
            EM_PPC64
        } else if cfg!(target_arch = "s390x") {
            EM_S390
        } else {
            0
        },
        bits: if cfg!(target_pointer_width = "64") {
            64
        } else {
            32
        },
        little_endian: cfg!(target_endian = "little"),
    };
}

const EM_386: u16 = 3;
const EM_PPC64: u16 = 21;
const EM_S390: u16 = 22;
const EM_ARM: u16 = 40;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;
const EM_RISCV: u16 = 243;

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.little_endian {
            ""
        } else {
            ", big-endian"
        };
        match self.machine {
            EM_386 => f.write_str("i386")?,
            EM_X86_64 => f.write_str("x86-64")?,
            EM_ARM => f.write_str("arm")?,
            EM_AARCH64 => f.write_str("aarch64")?,
            EM_RISCV => f.write_str("riscv")?,
            EM_PPC64 => f.write_str("ppc64")?,
            EM_S390 => f.write_str("s390")?,
            other => write!(f, "machine {other}")?,
        }
        write!(f, " ({} bit{order})", self.bits)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}
