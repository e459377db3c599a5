use mif_domains::Id;
use rustix::io::Errno;
pub(crate) fn visible(_flags: u32) -> Result<Vec<Id>, Errno> {
    Err(Errno::NOSYS)
}
