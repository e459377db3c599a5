//! `mif init`: a commented `pvds.toml` from what the host has.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mif_host::config::Environment;
use mif_host::inventory::{self, Interface, Inventory};

use crate::{Failure, output, words};

/// Writes the file, to standard output if it is called `-`; without a name the user's own.
///
/// # Errors
/// Status 1 if the kernel does not tell what there is, if the file is there and `force` is not
/// set, or if it cannot be written; 2 if there is no place for it.
pub(crate) fn run(file: Option<&Path>, force: bool) -> Result<(), Failure> {
    let inventory = inventory::read().map_err(|why| Failure {
        status: 1,
        message: format!("the kernel does not tell which networks there are: {why}"),
    })?;
    let text = text(&inventory);
    if file == Some(Path::new("-")) {
        output::bytes(text.as_bytes());
        return Ok(());
    }
    let file = match file {
        Some(file) => file.to_owned(),
        None => default_file()?,
    };
    write(&file, &text, force).map_err(|why| {
        let why = match why.kind() {
            io::ErrorKind::AlreadyExists => {
                "it is there already; --force replaces it, and `mif init -` only prints".to_owned()
            }
            _ => why.to_string(),
        };
        Failure {
            status: 1,
            message: format!("{}: {why}", file.display()),
        }
    })?;
    output::text(&format!(
        "wrote {}; change names and lines as you like, then `mif check`\n",
        file.display()
    ));
    Ok(())
}

/// `pvds.toml` in the user's folder.
fn default_file() -> Result<PathBuf, Failure> {
    let environment = Environment::from_process();
    let folder = environment.folders().into_iter().next();
    let folder = folder.filter(|folder| *folder != environment.system);
    folder
        .map(|folder| folder.join("pvds.toml"))
        .ok_or_else(|| Failure {
            status: 2,
            message: "neither XDG_CONFIG_HOME nor HOME is an absolute path: name the file, or `-`"
                .to_owned(),
        })
}

/// Writes a file of the user's, which is there already only with `force`, and its folder. Nobody else
/// may write to them, whatever the umask: the file would not count.
pub(crate) fn write(file: &Path, text: &str, force: bool) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        let mut folders = fs::DirBuilder::new();
        folders.recursive(true).mode(0o755).create(folder)?;
    }
    let mut options = fs::File::options();
    options.write(true).mode(0o644);
    if !force {
        let mut new = options.create_new(true).open(file)?;
        return new.write_all(text.as_bytes());
    }
    // Readers see the old file or the new one, never half of it.
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let _ = fs::remove_file(&new);
    options
        .create_new(true)
        .open(&new)?
        .write_all(text.as_bytes())?;
    fs::rename(&new, file)
}

const HEAD: &str = "\
# The networks of this host, each with all that belongs to it (a provisioning domain, RFC 7556), as
# `mif init` found them. Policies name them in `use`, mif-run in -i. docs/policy.md explains every key.
#
# The names in brackets are yours: [pvd.home], [pvd.lte], [pvd.work] say more than an interface's.
# A line without `#` is what holds; what is left out is read from the host whenever it is needed, so
# the lines that begin with `#` are for what should stay as it is whatever the network says.
";

/// The whole file.
fn text(inventory: &Inventory) -> String {
    let mut text = HEAD.to_owned();
    let interfaces = inventory.interfaces.iter();
    let mut networks = interfaces.filter(|one| one.kind != "loopback").peekable();
    if networks.peek().is_none() {
        text.push_str("\n# This host has no interface but loopback.\n");
    }
    for interface in networks {
        domain(&mut text, interface);
    }
    text
}

fn domain(text: &mut String, interface: &Interface) {
    let name = quoted(&interface.name);
    let state = match (interface.up, interface.carrier) {
        (false, _) => ", down now",
        (true, false) => ", without a carrier now",
        (true, true) => "",
    };
    let _ = writeln!(text, "\n# {}{state}.", plain(&interface.kind));
    for address in interface
        .addresses
        .iter()
        .filter(|one| one.scope == "global")
    {
        let lasting = if address.valid.is_some() {
            ", for a time"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "# Address {}/{}{lasting}.",
            address.ip, address.length
        );
    }
    for gateway in &interface.gateways {
        let _ = writeln!(text, "# Gateway {gateway}.");
    }
    let domain = key(&domain_name(&interface.name));
    let _ = writeln!(text, "[pvd.{domain}]\ninterface = {name}");
    let sources = interface.addresses.iter();
    let sources = sources.filter(|one| one.scope == "global" && one.is_preferred());
    let sources: Vec<String> = sources.map(|one| format!("\"{}\"", one.ip)).collect();
    if !sources.is_empty() {
        let _ = writeln!(text, "# source = [{}]", sources.join(", "));
    }
    let dns = &interface.dns;
    // The file has no way to write the scope of a link-local server.
    let servers = dns.servers.iter().filter(|server| match server.ip() {
        std::net::IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        std::net::IpAddr::V4(_) => true,
    });
    let servers: Vec<String> = servers
        .map(|one| format!("\"{}\"", words::server(one)))
        .collect();
    if servers.is_empty() {
        let _ = writeln!(text, "# dns = {{ servers = [\"…\"] }}  # none is known");
    } else {
        let search = dns.search.iter().map(|suffix| quoted(suffix));
        let search: Vec<String> = search.collect();
        let servers = servers.join(", ");
        let search = search.join(", ");
        let _ = writeln!(
            text,
            "# dns = {{ servers = [{servers}], search = [{search}] }}"
        );
    }
}

/// A name that policies can use: the interface's, unless it means something else in `use` or -i.
fn domain_name(interface: &str) -> String {
    match interface {
        "system" | "none" => format!("{interface}-network"),
        name => name.replace([',', '\u{7f}'], "-"),
    }
}

/// A key of TOML, which needs quotes only if it has odd characters.
fn key(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// For a comment, which a control character would end or spoil.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}
