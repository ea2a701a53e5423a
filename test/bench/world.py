"""world.py - where the bench of whole servers runs: a network, a resolver and messages of its own.

The network has nothing but loopback. The clients are addresses of 198.51.100.0/24 on it, since some programs
let in 127.0.0.0/8 unseen; each is the mail host of a domain, with SPF, DKIM, DMARC and reverse names in the
zones that test/dns/serve puts on port 53.
"""
import base64, ctypes, json, os, random, re, shutil, signal, subprocess, sys

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, PR_SET_PDEATHSIG = 0x20000, 0x20000000, 0x40000000, 1
HERE = os.path.dirname(os.path.abspath(__file__))
SERVE = os.path.join(HERE, "../dns/serve")
TMPFS = "/mnt"
CLIENTS = 24
NET = "198.51.100."
LISTED = NET + "200"
RESOLVER = NET + "53"  # also on 127.0.0.1; libunbound in opendkim never asks there
LISTS = ["bl1.bench", "bl2.bench", "bl3.bench"]
SOA = "$TTL 3600\n{0} SOA ns.bench. hostmaster.bench. 1 7200 3600 1209600 600\n{0} NS ns.bench.\n"


def enter():
    """Goes on in a child with a network, a mount and a process namespace of its own, in which all ends when it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET):
        sys.exit("bench: unshare: " + os.strerror(ctypes.get_errno()))
    child = os.fork()
    if child:
        for s in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
            signal.signal(s, lambda n, _: os.kill(child, signal.SIGTERM))
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for command in ("mount --make-rprivate /", "mount -t proc proc /proc", f"mount -t tmpfs tmpfs {TMPFS}", "ip link set lo up",
                    f"ip route add local {NET}0/24 dev lo"):
        subprocess.run(command.split(), check=True)


def hide(path, over):
    """In this mount namespace, `over` is what path is."""
    if os.path.exists(path):
        subprocess.run(["mount", "--bind", over, os.path.realpath(path)], check=True)


class World:
    """Zones and a resolver; messages in self.messages, one a client; self.listed of a client that three lists know."""

    def __init__(self, top, sign, bytes_):
        self.dir, self.state, self.mail = (os.path.join(top, d) for d in ("world", "dns", "mail"))
        shutil.copytree(os.path.join(HERE, "../dns/world"), self.dir)
        os.mkdir(self.mail)
        for name, text in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nothing", "")):
            open(os.path.join(top, name), "w").write(text)
        hide("/etc/resolv.conf", os.path.join(top, "resolv.conf"))
        hide("/dev/log", os.path.join(top, "nothing"))
        self.key = os.path.join(top, "dkim.key")
        subprocess.run([sign, "-g", "-k", self.key], check=True, stdout=subprocess.DEVNULL)
        hosts = [(f"c{i}.bench", f"{NET}{i}") for i in range(1, CLIENTS + 1)]
        self.zones(hosts + [("listed.bench", LISTED)])
        self.messages = [self.message(sign, *h, bytes_[i % len(bytes_)]) for i, h in enumerate(hosts)]
        self.listed = self.message(sign, "listed.bench", LISTED, bytes_[0])

    def zones(self, hosts):
        der = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        key = '"v=DKIM1; k=rsa; p="' + "".join(f' "{p}"' for p in re.findall(".{1,200}", base64.b64encode(der).decode()))
        zone, reverse = SOA.format("bench.") + "ns.bench. A 127.0.0.1\n", SOA.format("100.51.198.in-addr.arpa.")
        for domain, ip in hosts:
            zone += (f'{domain}. MX 10 mail.{domain}.\n{domain}. TXT "v=spf1 ip4:{ip} -all"\nmail.{domain}. A {ip}\n'
                     f'mail.{domain}. TXT "v=spf1 a -all"\ns._domainkey.{domain}. TXT {key}\n'
                     f'_dmarc.{domain}. TXT "v=DMARC1; p=reject"\n')
            reverse += f"{ip.rsplit('.', 1)[1]}.100.51.198.in-addr.arpa. PTR mail.{domain}.\n"
        listed = f"$SOA 3600 ns.bench. hostmaster.bench. 0 7200 3600 1209600 600\n:127.0.0.2:Listed for the bench\n127.0.0.2\n{LISTED}\n"
        for name, text in (("zones/bench", zone), ("zones/bench-reverse", reverse), ("rbl/bench", listed)):
            open(os.path.join(self.dir, name), "w").write(text)
        path = os.path.join(self.dir, "world.json")
        w = json.load(open(path))
        w["zones"] += [{"name": "bench.", "file": "zones/bench"},
                       {"name": "100.51.198.in-addr.arpa.", "file": "zones/bench-reverse"}]
        w["lists"] += [{"zone": l, "type": "ip4set", "file": "bench"} for l in LISTS]
        json.dump(w, open(path, "w"))

    def message(self, sign, domain, ip, n):
        """A signed message of n bytes, half text and half attachment, as a file for load"""
        r = random.Random(domain)
        word = lambda: r.choice("the of mail order your invoice please find attached we have sent on Monday goods".split())
        text = "".join(" ".join(word() for _ in range(11)) + "\r\n" for _ in range(12))
        data = base64.encodebytes(b"\x89PNG\r\n\x1a\n" + r.randbytes(max(n - 1870, 500) * 3 // 4)).decode().replace("\n", "\r\n")
        whole = (f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nFrom: News <news@{domain}>\r\nTo: <user@lan.example>\r\n"
                 f"Subject: Your order\r\nMessage-ID: <1@{domain}>\r\nMIME-Version: 1.0\r\n"
                 "Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                 f"{text}\r\n--b1\r\nContent-Type: image/png; name=picture.png\r\nContent-Transfer-Encoding: base64\r\n"
                 f"Content-Disposition: attachment; filename=picture.png\r\n\r\n{data}\r\n--b1--\r\n")
        out = subprocess.run([sign, "-d", domain, "-s", "s", "-k", self.key], input=whole.encode(), check=True,
                             capture_output=True).stdout
        path = os.path.join(self.mail, f"{ip},news@{domain}")
        open(path, "wb").write(out + b".\r\n")
        return path

    def start(self):
        subprocess.run([SERVE, "-w", self.dir, "-p", "53", "-a", RESOLVER, "-d", self.state, "start"], check=True,
                       stdout=subprocess.DEVNULL)
        self.roots = json.load(open(os.path.join(self.state, "pids")))

    def stop(self):
        subprocess.run([SERVE, "-d", self.state, "stop"])
