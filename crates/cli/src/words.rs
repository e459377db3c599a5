//! Words that several of the tool's answers share.

use mif_host::network::Source;

/// `AGENT: FILE, FILE`.
pub(crate) fn source(source: &Source) -> String {
    let files = source.files.iter().map(|file| file.display().to_string());
    let files: Vec<String> = files.collect();
    format!("{}: {}", source.agent, files.join(", "))
}
