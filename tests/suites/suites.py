"""The test suites: where each comes from, how it is made ready once, and how it runs.

A `Suite` is got ready as root: Debian packages, one Debian source package, and shell lines in its folder
(`build`). Its `command`, shell lines too, runs in the lab as `nobody`. Both find in the environment SUITE
(the suite's folder), SOURCE (the unpacked source in it) and HOME, and begin in HOME.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import outcomes


@dataclass(frozen=True)
class Suite:
    """One suite. `packages` are Debian's, `limit` is in seconds for one run."""

    name: str
    about: str
    version: str
    command: str
    outcomes: Callable[[str], Iterable[tuple[str, str]]]
    packages: list[str] = field(default_factory=list)
    source: str = ""
    build: str = ""
    limit: int = 600


# Each file of a suite in TAP, one after the other, with what `outcomes.tap` wants to know.
EACH_FILE = """
for file in $FILES; do
    echo "# file $file"
    timeout 60 perl -I"$SOURCE/lib" "$file" </dev/null 2>&1 && echo "# status 0" || echo "# status $?"
done
"""

# CPython's own runner. The resource "network" is sockets of any kind, loopback as well.
REGRTEST = """
/usr/bin/python3 -m test -j2 -u network --timeout 300 --junit-xml "$HOME/results.xml" $(echo "%s") 2>&1
cat "$HOME/results.xml"
"""

SUITES = [
    Suite(
        name="cpython",
        about="CPython's tests of sockets, TLS, its network modules and processes",
        version="/usr/bin/python3 --version",
        packages=["python3", "libpython3.11-testsuite"],
        command=REGRTEST
        % """test_asyncore test_epoll test_fork1 test_ftplib test_httplib test_httpservers test_imaplib
            test_poll test_poplib test_select test_selectors test_smtplib test_socket
            test_socketserver test_ssl test_subprocess test_telnetlib test_urllib2_localnet test_xmlrpc""",
        outcomes=outcomes.junit,
    ),
    Suite(
        name="asyncio",
        about="CPython's tests of asyncio",
        version="/usr/bin/python3 --version",
        packages=["python3", "libpython3.11-testsuite"],
        command=REGRTEST % "test_asyncio",
        outcomes=outcomes.junit,
        limit=900,
    ),
    Suite(
        name="twisted",
        about="Twisted's tests of its reactors, protocols and DNS (PyPI)",
        version='"$SUITE/venv/bin/python" -m pip list 2>/dev/null | grep -i "^twisted "',
        packages=["python3-venv"],
        build='/usr/bin/python3 -m venv "$SUITE/venv" && "$SUITE/venv/bin/pip" install -q twisted',
        command="""
        "$SUITE/venv/bin/trial" --reporter=verbose twisted.internet.test twisted.names.test twisted.web.test \
            twisted.test.test_tcp twisted.test.test_udp twisted.test.test_unix twisted.test.test_process \
            twisted.test.test_internet 2>&1
        """,
        outcomes=outcomes.trial,
    ),
    Suite(
        name="perl",
        about="Perl's tests of IO::Socket, IO::Socket::IP, Socket, libnet and HTTP::Tiny",
        version="perl -e 'print $^V'",
        packages=["perl"],
        source="perl",
        command="""
        for module in dist/IO cpan/IO-Socket-IP cpan/Socket cpan/libnet cpan/HTTP-Tiny; do
            cd "$SOURCE/$module" && FILES=$(echo t/*.t)
            %s
        done
        """
        % EACH_FILE,
        outcomes=outcomes.tap,
    ),
    Suite(
        name="ruby",
        about="Ruby's tests of sockets, net/http, net/protocol, open-uri and resolv",
        version="ruby --version",
        packages=["ruby", "ruby-webrick"],
        source="ruby3.1",
        command="""
        cd "$SOURCE" && ruby test/runner.rb -v test/socket test/net test/open-uri test/resolv 2>&1
        """,
        outcomes=outcomes.ruby,
    ),
    Suite(
        name="node",
        about="Node's tests of net, dgram, dns and cluster",
        version="node --version",
        packages=["nodejs", "python3"],
        source="nodejs",
        build='ln -sf "$(command -v node)" "$SOURCE/node"',
        command="""
        cd "$SOURCE" && set --
        for part in net dgram dns tcp cluster; do
            set -- "$@" "parallel/test-$part-*"
        done
        /usr/bin/python3 tools/test.py -p tap -j2 --timeout 30 --temp-dir "$HOME" "$@" 2>&1
        """,
        outcomes=outcomes.tap,
        limit=1200,
    ),
    Suite(
        name="libuv",
        about="libuv's own tests",
        version='echo "$SOURCE"',
        packages=["cmake", "gcc", "make", "libc6-dev"],
        source="libuv1",
        build="""
        cmake -S "$SOURCE" -B "$SOURCE/build" -DBUILD_TESTING=ON -DCMAKE_BUILD_TYPE=Debug
        make -s -C "$SOURCE/build" uv_run_tests_a
        """,
        command="""
        cd "$SOURCE" && build/uv_run_tests_a 2>&1
        """,
        outcomes=outcomes.tap,
    ),
    Suite(
        name="curl",
        about="the first 300 of curl's own tests (HTTP, FTP, mail, proxies), with its servers",
        version='"$SOURCE/src/curl" --version | head -1',
        packages=["gcc", "make", "libc6-dev", "libssl-dev", "zlib1g-dev", "perl", "python3"],
        source="curl",
        build="""
        cd "$SOURCE"
        ./configure --quiet --with-openssl --disable-shared --disable-dependency-tracking --disable-manual
        make -s && make -s -C tests
        """,
        command="""
        cd "$SOURCE/tests" && perl runtests.pl -a -am -n '!flaky' 1 to 300 2>&1
        """,
        outcomes=outcomes.automake,
        limit=1800,
    ),
    Suite(
        name="redis",
        about="Redis' tests of its server: networking, replication, failover, Pub/Sub, redis-cli",
        version="redis-server --version",
        packages=["redis-server", "redis-tools", "tcl"],
        source="redis",
        build="""
        ln -sf /usr/bin/redis-server /usr/bin/redis-cli /usr/bin/redis-benchmark "$SOURCE/src/"
        """,
        command="""
        cd "$SOURCE" && ./runtest --clients 2 --single unit/networking --single unit/auth \
            --single unit/protocol --single unit/introspection --single unit/info --single unit/other \
            --single unit/pubsub --single unit/multi --single unit/limits --single integration/block-repl \
            --single integration/failover --single integration/redis-cli \
            --single integration/redis-benchmark --single integration/shutdown 2>&1
        """,
        outcomes=outcomes.redis,
        limit=900,
    ),
]
