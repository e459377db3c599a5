//! Why a name has no addresses.

use std::error::Error;
use std::ffi::c_int;
use std::{fmt, io};

use crate::raw::lookup_text;

/// What getaddrinfo(3) fails with.
#[derive(Debug)]
pub struct LookupError {
    code: c_int,
    system: Option<io::Error>,
}

impl LookupError {
    /// `system` counts for `EAI_SYSTEM` alone.
    pub(crate) fn new(code: c_int, system: Option<io::Error>) -> Self {
        let system = system.filter(|_| code == libc::EAI_SYSTEM);
        Self { code, system }
    }

    pub(crate) fn of(code: c_int) -> Result<(), Self> {
        if code == 0 {
            return Ok(());
        }
        Err(Self::new(code, None))
    }

    /// One of `EAI_*`.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.code
    }

    /// Whether there is no such name, or no address of it.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.code, libc::EAI_NONAME | libc::EAI_NODATA)
    }

    /// Whether the domain's servers have not answered, and might later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.code == libc::EAI_AGAIN
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.system {
            Some(error) => error.fmt(f),
            None => f.write_str(&lookup_text(self.code)),
        }
    }
}

impl Error for LookupError {}

impl From<io::Error> for LookupError {
    fn from(error: io::Error) -> Self {
        Self::new(libc::EAI_SYSTEM, Some(error))
    }
}

impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError {
                system: Some(system),
                ..
            } => system,
            error if error.is_not_found() => Self::new(io::ErrorKind::NotFound, error),
            error => Self::other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_called() {
        let error = LookupError::new(libc::EAI_NONAME, Some(io::ErrorKind::Other.into()));
        assert_eq!(error.to_string(), "Name or service not known");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
        let denied = || io::Error::from_raw_os_error(libc::EACCES);
        let error = LookupError::new(libc::EAI_SYSTEM, Some(denied()));
        assert_eq!(error.to_string(), denied().to_string());
        assert_eq!(io::Error::from(error).raw_os_error(), Some(libc::EACCES));
        assert!(LookupError::of(libc::EAI_AGAIN).unwrap_err().is_temporary());
        assert!(LookupError::of(0).is_ok());
    }
}
