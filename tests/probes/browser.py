"""Loads pages in a headless browser, and tells what came of each, and of the browser's sandboxes:

    browser.py chromium|firefox URL...

For each page a line: its address, and its text or the browser's error. A URL of "stun:" is asked by WebRTC,
by the page before it. Then for each kind of process a line "sandboxed KIND" if its system calls are filtered
by seccomp and it is in a user namespace of its own. HOME and XDG_CONFIG_HOME have to be writable.
"""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

# Gathers the candidates that a STUN server tells. This one tells none, and what is asked of it is the
# same after five seconds as at the end of all tries.
WEBRTC = """
const peer = new RTCPeerConnection({ iceServers: [{ urls: "%s" }] });
const gathered = new Promise((done) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState == "complete" && done("gathered");
    setTimeout(() => done("gathered"), 5000);
});
peer.createDataChannel("data");
peer.setLocalDescription();
"""


class Chromium:
    """Spoken to by the DevTools protocol, over its descriptors 3 and 4."""

    def __init__(self):
        theirs, self.commands = os.pipe()
        self.answers, ours = os.pipe()
        self.buffer, self.numbers = b"", itertools.count(1)
        command = ["chromium", "--headless", "--disable-gpu", "--no-first-run"]
        command += ["--remote-debugging-pipe", f"--user-data-dir={Path.home()}/chromium"]
        # A shell puts the pipes where the browser looks for them.
        command = ["sh", "-c", f'exec "$@" 3<&{theirs} 4>&{ours}', "sh", *command]
        self.process = subprocess.Popen(command, pass_fds=[theirs, ours])
        os.close(theirs)
        os.close(ours)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def message(self):
        while b"\0" not in self.buffer:
            more = os.read(self.answers, 65536)
            assert more, "Chromium has ended"
            self.buffer += more
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def call(self, method, **parameters):
        number = next(self.numbers)
        text = {"id": number, "method": method, "params": parameters}
        if hasattr(self, "session"):
            text["sessionId"] = self.session
        os.write(self.commands, json.dumps(text).encode() + b"\0")
        while (answer := self.message()).get("id") != number:
            pass
        return answer["result"]

    def load(self, url):
        if error := self.call("Page.navigate", url=url).get("errorText"):
            return error
        while self.message().get("method") != "Page.loadEventFired":
            pass
        return self.value("document.body.innerText")

    def stun(self, url):
        return self.value(WEBRTC % url + "gathered")

    def value(self, script):
        return self.call("Runtime.evaluate", expression=script, awaitPromise=True)["result"]["value"]


class Firefox:
    """Spoken to by Marionette, over a connection of loopback."""

    def __init__(self):
        profile, self.numbers = Path.home() / "firefox", itertools.count(1)
        profile.mkdir()
        command = ["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", profile]
        self.process = subprocess.Popen(command)
        while True:
            try:
                self.stream = socket.create_connection(("127.0.0.1", 2828)).makefile("rwb")
                break
            except ConnectionRefusedError:
                assert self.process.poll() is None, "Firefox has ended"
                time.sleep(0.05)
        self.message()
        self.call("WebDriver:NewSession")

    def message(self):
        length = b""
        while (digit := self.stream.read(1)) != b":":
            assert digit, "Firefox has ended"
            length += digit
        return json.loads(self.stream.read(int(length)))

    def call(self, command, **parameters):
        text = json.dumps([0, next(self.numbers), command, parameters]).encode()
        self.stream.write(b"%d:%s" % (len(text), text))
        self.stream.flush()
        _, _, error, result = self.message()
        return error or result

    def load(self, url):
        result = self.call("WebDriver:Navigate", url=url)
        if "error" in result:
            return (re.search(r"about:neterror\?e=\w+", result["message"]) or [result["message"]])[0]
        return self.value("return document.body.innerText")

    def stun(self, url):
        # A promise that is returned is waited for.
        return self.value(WEBRTC % url + "return gathered")

    def value(self, script):
        return self.call("WebDriver:ExecuteScript", script=script, args=[])["value"]


def sandboxed(browser):
    """The kinds of the browser's processes that are sandboxed."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            pass
    for process in parents:
        above = process
        while above not in (0, browser):
            above = parents.get(above, 0)
        if above != browser:
            continue
        folder = Path("/proc") / str(process)
        try:
            status, words = (folder / "status").read_text(), (folder / "cmdline").read_text()
            apart = os.readlink(folder / "ns/user") != os.readlink("/proc/self/ns/user")
        except OSError:
            continue
        kind = re.search(r"--type=([\w-]+)", words) or re.search(r"Name:\t(.*)", status)
        if "Seccomp:\t2" in status and apart:
            yield kind[1]


browser = {"chromium": Chromium, "firefox": Firefox}[sys.argv[1]]()
for url in sys.argv[2:]:
    ask = browser.stun if url.startswith("stun:") else browser.load
    print(url, ask(url).strip(), flush=True)
for kind in sorted(set(sandboxed(browser.process.pid))):
    print("sandboxed", kind)
browser.process.terminate()
browser.process.wait()
