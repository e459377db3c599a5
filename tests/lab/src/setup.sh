#!/bin/sh
# Builds the lab's network inside the namespaces that this shell was started in, and holds it: as
# `setup.sh LABDIR` it is the first process of the lab's process namespace, prints `ready`, waits
# for the end of its standard input, removes LABDIR and ends, and everything else ends with it.
# With a second word it is one part of the network (see the end of this file).
#
#     host ── wan0 10.1.0.2, 2001:db8:1::2 ── ra ──┐
#          ── wan1 10.2.0.2, 2001:db8:2::2 ── rb ──┼── far 203.0.113.0/24, 2001:db8:ff::/64
#          ── vpn0 10.3.0.2 ───────────────── rv ──┘
#
# It knows nothing of mif. Addresses are usable at once (no duplicate address detection), so
# nothing here sleeps. Both ends of every link know each other's link-layer address: a foreign
# source address would go into the neighbour solicitation as well, be answered elsewhere, and the
# packet would never reach the router that is to count it; and a resolution that failed while a
# link was down would be tried again only after a second.
set -eu

lab=$1

main() {
    # A fresh /run has room for `ip netns`, and hides the sockets of name services (nscd, resolved)
    # that would answer from outside of the lab.
    mount -t tmpfs tmpfs /run
    mkdir /run/netns
    # The old one shows the links of the outer network. A container may refuse; nothing else here
    # depends on it.
    mount -t sysfs sysfs /sys 2>/dev/null || :
    system_files

    {
        printf 'netns add %s\n' ra rb rv far
        for link in 'ra wan0 1' 'rb wan1 2' 'rv vpn0 3'; do
            # shellcheck disable=SC2086 # the words are router, link and number
            set -- $link
            mac=02:00:00:00:0$3
            echo "link add $2 address $mac:02 type veth peer name host address $mac:01 netns $1"
            echo "link add $1 address $mac:04 netns far type veth" \
                "peer name far address $mac:03 netns $1"
        done
    } | ip -batch -

    parts=
    for part in 'ra router 1' 'rb router 2' 'rv router 3' 'far far'; do
        # shellcheck disable=SC2086 # the words are the part's arguments
        set -- $part
        nsenter --net="/run/netns/$1" -- sh "$0" "$lab" "$@" &
        parts="$parts $!"
    done
    host
    for part in $parts; do
        wait "$part"
    done

    echo ready
    read -r _ || :
    rm -rf "$lab"
}

# What the programs of the lab read in /etc.
system_files() {
    printf '%s\n' 'nameserver 10.1.0.1' 'options timeout:1 attempts:1' >"$lab/etc/resolv.conf"
    printf '%s\n' '127.0.0.1 localhost' '::1 localhost ip6-localhost' '203.0.113.10 hosts.test' \
        >"$lab/etc/hosts"
    printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' 'services: files' \
        'protocols: files' >"$lab/etc/nsswitch.conf"
    for file in resolv.conf hosts nsswitch.conf; do
        # resolv.conf is often a link into /run, which is empty by now.
        place=$(readlink -m "/etc/$file")
        [ -e "$place" ] || { mkdir -p "${place%/*}" && : >"$place"; }
        mount --bind "$lab/etc/$file" "$place"
    done
    # The machine's own policies have no say in tests.
    if [ -d /etc/mif ]; then
        mount -t tmpfs -o mode=755 tmpfs /etc/mif
    fi
}

# Writes kernel settings, each as path=value below /proc/sys/net.
settings() {
    for setting; do
        printf '%s\n' "${setting#*=}" >"/proc/sys/net/${setting%%=*}"
    done
}

# The settings of links, before they come up.
link_settings() {
    for link; do
        settings "ipv4/conf/$link/rp_filter=0" "ipv6/conf/$link/disable_ipv6=0" \
            "ipv6/conf/$link/accept_dad=0" "ipv6/conf/$link/accept_ra=0" \
            "ipv6/conf/$link/router_solicitations=0"
    done
}

# The host with its three uplinks. LABDIR/links/NAME brings a link up, now and in tests again.
host() {
    link_settings all default wan0 wan1 vpn0
    # Loose, as systemd sets it: the return path may be another than the route's.
    settings ipv4/conf/all/rp_filter=2 ipv6/conf/vpn0/disable_ipv6=1 ipv4/tcp_fastopen=3
    # In a user namespace only its own group can be named.
    settings 'ipv4/ping_group_range=0 2147483647' 2>/dev/null ||
        settings 'ipv4/ping_group_range=0 0'

    for link in 'wan0 1 100' 'wan1 2 200' 'vpn0 3 300'; do
        # shellcheck disable=SC2086 # the words are name, number and metric
        set -- $link
        {
            mac="lladdr 02:00:00:00:0$2:01 nud permanent dev $1"
            printf '%s\n' "link set $1 up" "address replace 10.$2.0.2/24 dev $1" \
                "neighbour replace 10.$2.0.1 $mac" \
                "route replace default via 10.$2.0.1 dev $1 metric $3"
            [ "$1" = vpn0 ] ||
                printf '%s\n' "address replace 2001:db8:$2::2/64 dev $1 nodad" \
                    "neighbour replace 2001:db8:$2::1 $mac" \
                    "route replace default via 2001:db8:$2::1 dev $1 metric $3"
        } >"$lab/links/$1"
    done
    { echo 'link set lo up' && cat "$lab/links/"*; } | ip -batch -
    links_up
}

# A provider's router: NAME NUMBER. It drops packets whose source is not the provider's (BCP 38),
# counts what the host sends, and answers names.
router() {
    name=$1 number=$2
    link_settings all default host far
    settings ipv4/ip_forward=1 ipv6/conf/all/forwarding=1
    ip -batch - <<END
link set lo up
address add 10.$number.0.1/24 dev host
address add 2001:db8:$number::1/64 dev host nodad
address add 10.$number.9.1/30 dev far
address add 2001:db8:$number:9::1/64 dev far nodad
link set host up
link set far up
neighbour add 10.$number.0.2 lladdr 02:00:00:00:0$number:02 nud permanent dev host
neighbour add 2001:db8:$number::2 lladdr 02:00:00:00:0$number:02 nud permanent dev host
neighbour add 10.$number.9.2 lladdr 02:00:00:00:0$number:04 nud permanent dev far
neighbour add 2001:db8:$number:9::2 lladdr 02:00:00:00:0$number:04 nud permanent dev far
route add default via 10.$number.9.2
route add default via 2001:db8:$number:9::2
END
    # What hosts say of themselves unasked (neighbour discovery, multicast membership) is no
    # traffic of an application's.
    nft -f - <<END
table inet lab {
    counter sent {}
    counter dns {}
    counter spoofed {}
    chain from_host {
        type filter hook prerouting priority -300
        iifname != "host" accept
        icmpv6 type { 130-137, 143 } accept
        meta l4proto igmp accept
        # Nor what it asks a DHCP server, without an address yet.
        udp sport 68 udp dport 67 accept
        # Linux itself may send the last acknowledgement of a closed IPv6 connection by the default
        # route, whatever device its socket had, and the reset that answers what comes for one closed
        # meanwhile. A flow shows with its SYN and its data.
        ip6 saddr != { 2001:db8:$number::/64, fe80::/64 } tcp flags == ack drop
        ip6 saddr != { 2001:db8:$number::/64, fe80::/64 } tcp flags == rst drop
        counter name sent
        meta l4proto { tcp, udp } th dport 53 counter name dns
        ip saddr != 10.$number.0.0/24 counter name spoofed drop
        ip6 saddr != { 2001:db8:$number::/64, fe80::/64 } counter name spoofed drop
    }
}
END
    names "$name" "$number" >"$lab/dns/$name.hosts"
    dnsmasq --conf-file=/dev/null --user=root --group= --pid-file= \
        --bind-interfaces --listen-address="10.$number.0.1,2001:db8:$number::1" \
        --no-resolv --no-hosts --addn-hosts="$lab/dns/$name.hosts" --local=/test/ --local=// \
        --local=/in-addr.arpa/ --local=/ip6.arpa/ \
        --cname=alias.test,who.test --local-ttl=60 \
        --ptr-record="7.100.51.198.in-addr.arpa,of-$name.test" \
        --ptr-record="9.100.51.198.in-addr.arpa,no host.test" \
        --txt-record="split.test,told by $name" \
        --srv-host="_xmpp._tcp.test,$name.srv.test,5222" \
        --log-queries --log-facility="$lab/dns/$name.log"
    links_up
}

# The names that a provider knows, as a hosts file.
names() {
    # bücher.test
    for known in who v4 xn--bcher-kva; do
        echo "203.0.113.10 $known.test"
    done
    for known in who v6; do
        echo "2001:db8:ff::10 $known.test"
    done
    for known in split "only-${1#r}"; do
        printf '%s\n' "203.0.113.2$2 $known.test" "2001:db8:ff::2$2 $known.test"
    done
    printf '%s\n' '203.0.113.30 host.corp.test' '2001:db8:ff::30 host.corp.test' \
        '203.0.113.40 other.test' '2001:db8:ff::40 other.test'
    # One address that two providers know by different names.
    echo "203.0.113.40 shared-${1#r}.test"
    # More than 512 bytes of answers, and more than the EDNS sizes that clients offer.
    seq --format='198.18.0.%g big.test' 40
    seq --format='198.18.1.%g huge.test' 120
}

# The far end, one hop behind every provider.
far() {
    # 1024: fast open for every listener, without the socket option.
    link_settings all default ra rb rv
    settings ipv4/tcp_fastopen=1027
    addresses=
    for number in 10 21 22 23 30 40; do
        addresses="$addresses 203.0.113.$number 2001:db8:ff::$number"
    done
    {
        echo 'link set lo up'
        for address in $addresses; do
            case $address in
            *:*) echo "address add $address dev lo nodad" ;;
            *) echo "address add $address dev lo" ;;
            esac
        done
        for link in 'ra 1' 'rb 2' 'rv 3'; do
            # shellcheck disable=SC2086 # the words are name and number
            set -- $link
            mac="lladdr 02:00:00:00:0$2:03 nud permanent dev $1"
            printf '%s\n' "link set $1 up" "address add 10.$2.9.2/30 dev $1" \
                "address add 2001:db8:$2:9::2/64 dev $1 nodad" \
                "neighbour add 10.$2.9.1 $mac" "neighbour add 2001:db8:$2:9::1 $mac" \
                "route add 10.$2.0.0/24 via 10.$2.9.1" \
                "route add 2001:db8:$2::/64 via 2001:db8:$2:9::1"
        done
    } | ip -batch -
    mkfifo "$lab/server.ready"
    # shellcheck disable=SC2086 # a list
    "$lab/libexec/lab-server" "$lab/arrivals" $addresses >"$lab/server.ready" &
    read -r _ <"$lab/server.ready"
    links_up
}

# Waits until the kernel has seen that the other ends of this namespace's links are up.
links_up() {
    tries=0
    while ip -brief link show type veth | grep -qv ' UP '; do
        tries=$((tries + 1))
        if [ "$tries" -gt 2000 ]; then
            echo 'the links of the lab do not come up' >&2
            exit 1
        fi
    done
}

case ${3-} in
'') main ;;
router) router "$2" "$4" ;;
far) far ;;
esac
