"""servers.py - the servers of the bench: mr and Postfix, plain and as gateways, each in a folder of its own."""
import os, pwd, re, shutil, socket, subprocess, sys, time

import world

RCPT = "user@lan.example"
POSTFIX_PROGRAMS = "/usr/lib/postfix/sbin"
GREYLIST_S = 1

# All filters of this package, each with the tables that it needs.
SPEC = """
connect  net     class=trusted                    mr-access -c trusted.cdb
connect  flood   unless=trusted                   mr-limit -S lmdb:{rates} -k ip -a 10m/1h -q
connect  names   unless=trusted                   mr-limit -S lmdb:{rates} -k ip -c rcpt-unknown -a 1000/1h
connect  lists   unless=trusted+auth,time=6       mr-dnsbl -S lmdb:state -c reputation.cdb {lists}
mail     access  unless=trusted+auth              mr-access access.cdb
mail     helo    unless=permitted+trusted+auth    mr-helo lan.example
mail     spf     unless=permitted+trusted+auth    mr-spf
rcpt     srs     edit                             mr-srs -k srs-keys lan.example
rcpt     grey    unless=permitted+trusted+auth    mr-greylist -S lmdb:state -a 0 -d {delay}
rcpt     alias   edit                             mr-alias -R routes.cdb aliases.cdb
rcpt     copy    edit                             mr-copy copies.cdb
data     dsn     only=bounce,unless=trusted+auth  mr-greylist -S lmdb:state
data     dkim    unless=permitted+trusted+auth    mr-dkimverify
data     dmarc   unless=permitted+trusted+auth    mr-dmarc -a reject=reject
data     mime    unless=permitted                 mr-mimecheck attachments.cdb
data     sign    only=trusted+auth                mr-dkimsign -t dkim.cdb
end      tried   unless=trusted+auth              mr-limit -S lmdb:{rates} -k ip -c rcpt-unknown -a 1000/1h
"""
TABLES = [  # name, kind, text
    ("trusted", "access", "permit 10.20.30.0/24\n"), ("reputation", "map", "203.0.113.0/24 3\n"),
    ("access", "access", "permit partner.example\nforbid spam.example\nforbid .spam.example\n"),
    ("aliases", "alias", "sales@lan.example r.johnson@lan.example\n"),
    ("copies", "map", "boss@lan.example archive@lan.example\n"),
    ("attachments", "attachments", "tag ext docm xlsm pptm\nuse programs\n"),
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, is_there, seconds=20):
    end = time.time() + seconds
    while not is_there():
        if time.time() > end:
            sys.exit(f"bench: {what} does not come")
        time.sleep(0.05)


def listens(address):
    def connects():
        try:
            with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
                s.connect(address if isinstance(address, str) else ("127.0.0.1", address))
            return True
        except OSError:
            return False
    wait_for(f"a listener at {address}", connects)


class Server:
    """Something that listens on self.port, relays to the sink, and has root processes self.roots."""
    PROGRAMS = []  # without these it is left out
    proof = []  # what its gateway writes into each message that it lets in
    greylists = False
    lists = False

    @classmethod
    def missing(cls):
        return [p for p in cls.PROGRAMS if not shutil.which(p)]

    def __init__(self, name, top, sink, bin_):
        self.name, self.top, self.sink, self.bin, self.port = name, top, sink, bin_, free_port()
        self.dir = os.path.join(top, name)
        self.popen = []
        os.mkdir(self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        open(path, "w").write(text)
        return path

    def folder(self, name, user):
        path = os.path.join(self.dir, name)
        os.mkdir(path)
        shutil.chown(path, user, pwd.getpwnam(user).pw_gid)
        return path

    def run(self, *argv, user=None, **kw):
        if user:
            kw.update(user=user, group=pwd.getpwnam(user).pw_gid, extra_groups=[])
        log = open(os.path.join(self.dir, os.path.basename(argv[0]) + ".log"), "a")
        self.popen.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir, **kw))

    def stop(self):
        for p in reversed(self.popen):
            p.terminate()
            p.wait()

    @property
    def roots(self):
        return [p.pid for p in self.popen]

    def queued(self):
        return sum(len(files) for d in self.queue_dirs for _, _, files in os.walk(d))


class Mr(Server):
    front, spec = "listener", []

    def table(self, name, kind, text):
        """Compiled, as postmap(1) does for Postfix"""
        subprocess.run([self.bin("mr-table"), "-k", kind, self.write(name, text), os.path.join(self.dir, name + ".cdb")], check=True)

    def configure(self):
        self.table("routes", "routes", f"lan.example 127.0.0.1:{self.sink}\n")

    def start(self):
        self.configure()
        spool = self.folder("spool", "nobody")
        self.queue_dirs = [os.path.join(spool, d) for d in ("incoming", "deferred")]
        smtpd = [self.bin("mr-smtpd"), "-N", "mx.lan.example", "-R", "routes.cdb", "-Q", spool,
                 "-o", "per-client=1000", "-o", "connections=1000"]
        if self.front == "listener":
            self.run(*smtpd, "-L", f"127.0.0.1:{self.port}", *self.spec, user="nobody")
        else:
            self.run("tcpserver", "-DRHl0", "-c", "1000", "127.0.0.1", str(self.port), *smtpd, *self.spec,
                     user="nobody")
        self.run(self.bin("mr-queue"), "run", "-Q", spool, "-R", "routes.cdb", "-N", "mx.lan.example", user="nobody")
        listens(self.port)


class MrTcpserver(Mr):
    PROGRAMS = ["tcpserver"]
    front = "tcpserver"


class MrGateway(Mr):
    proof = [r"\bspf=pass", r"\bdkim=pass", r"\bdmarc=pass"]
    greylists = lists = True

    def configure(self):
        super().configure()
        self.folder("state", "nobody")
        # On a tmpfs: counts that a reboot may take away, as those of Postfix's anvil and of rspamd's Redis here.
        rates = os.path.join(world.TMPFS, self.name)
        for t in TABLES:
            self.table(*t)
        key = self.write("dkim.key", open(os.path.join(self.top, "dkim.key")).read())
        self.table("dkim", "map", f"lan.example s:{key}\n")
        srs_keys = self.write("srs-keys", "A key for the bench, and not a secret one\n")
        for secret in key, srs_keys:
            shutil.chown(secret, "nobody")
            os.chmod(secret, 0o600)
        self.spec = [self.write("spec", SPEC.format(lists=" ".join(world.LISTS), delay=GREYLIST_S, rates=rates))]
        check = subprocess.run([self.bin("mr-pipe"), "-t", "-R", os.devnull, *self.spec], cwd=self.dir, text=True,
                               capture_output=True)
        if check.returncode:
            sys.exit("bench: spec: " + check.stdout + check.stderr)


class MrGatewayTcpserver(MrGateway):
    PROGRAMS = ["tcpserver"]
    front = "tcpserver"


class MrGatewayTcpserverStatic(MrGatewayTcpserver):
    """Of make STATIC=1."""
    def __init__(self, name, top, sink, bin_):
        super().__init__(name, top, sink, lambda program: bin_("static/" + program))


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = {programs}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.lan.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = lan.example
mynetworks = 10.20.30.0/24
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination{restrictions}
relay_transport = relay:[127.0.0.1]:{sink}
alias_maps =
local_recipient_maps =
relay_recipient_maps =
smtpd_peername_lookup = no
smtp_host_lookup = native
smtpd_client_connection_count_limit = 1000
default_process_limit = 200
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
smtp_tls_security_level = none
smtpd_tls_security_level = none
milter_default_action = tempfail
"""
MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(Server):
    PROGRAMS = ["postfix"]

    def start(self, restrictions="", main="", master=""):
        for d in ("etc", "queue"):
            os.mkdir(os.path.join(self.dir, d))
        self.folder("data", "postfix")
        queue = os.path.join(self.dir, "queue")
        self.queue_dirs = [os.path.join(queue, d) for d in ("maildrop", "incoming", "active", "deferred")]
        self.write("etc/main.cf", MAIN_CF.format(dir=self.dir, sink=self.sink, programs=POSTFIX_PROGRAMS,
                                                 restrictions=restrictions) + main)
        self.write("etc/master.cf", MASTER_CF.format(port=self.port) + master)
        r = subprocess.run(["postfix", "-c", self.dir + "/etc", "start"], capture_output=True, text=True)
        if r.returncode:
            sys.exit("bench: postfix does not start: " + r.stdout + r.stderr)
        listens(self.port)
        self.master = int(open(os.path.join(queue, "pid/master.pid")).read())

    def stop(self):
        if hasattr(self, "master"):
            subprocess.run(["postfix", "-c", self.dir + "/etc", "stop"], capture_output=True)
        super().stop()

    @property
    def roots(self):
        return [self.master, *super().roots]


class PostfixFiltered(Postfix):
    """Three lists, policyd-spf, postgrey, opendkim."""
    PROGRAMS = ["postfix", "postgrey", "policyd-spf", "opendkim"]
    proof = [r"^Received-SPF: pass", r"\bdkim=pass"]
    greylists = lists = True

    def start(self):
        grey, dkim = self.dir + "/postgrey.sock", self.dir + "/opendkim.sock"
        self.run("postgrey", f"--unix={grey}", f"--dbdir={self.folder('grey', 'postgrey')}", "--quiet", "--user=postgrey",
                 "--group=postgrey", f"--delay={GREYLIST_S}", "--auto-whitelist-clients=0", "--whitelist-clients=/dev/null",
                 "--whitelist-recipients=/dev/null", f"--pidfile={self.dir}/grey/pid")
        conf = self.write("opendkim.conf", f"Mode v\nSocket local:{dkim}\nUMask 000\nBackground no\nSyslog no\n"
                          f"InternalHosts {self.write('internal', '10.20.30.0/24')}\nAuthservID mx.lan.example\n"
                          f"AlwaysAddARHeader yes\nNameservers {world.RESOLVER}\n")
        self.run("opendkim", "-f", "-x", conf)
        listens(dkim)
        listens(grey)
        os.chmod(grey, 0o666)
        spf = self.write("policyd-spf.conf", "debugLevel = 0\nTestOnly = 1\nHELO_reject = Fail\nMail_From_reject = Fail\n"
                         "PermError_reject = False\nTempError_Defer = False\nskip_addresses = 127.0.0.0/8\n")
        super().start("".join(f", reject_rbl_client {l}" for l in world.LISTS)
                      + f", check_policy_service unix:private/policyd-spf, check_policy_service unix:{grey}",
                      f"smtpd_milters = unix:{dkim}\npolicyd-spf_time_limit = 3600\n",
                      f"policyd-spf unix - n n - 0 spawn user=nobody argv=/usr/bin/policyd-spf {spf}\n")


RSPAMD_CONF = """
.include "$CONFDIR/common.conf"
options {{
  pidfile = "{dir}/rspamd.pid";
  .include "$CONFDIR/options.inc"
  filters = "dkim";
  local_addrs = [10.20.30.0/24];
  dns {{ nameserver = ["127.0.0.1:53"]; }}
}}
logging {{ type = "file"; filename = "{log}/rspamd.log"; .include "$CONFDIR/logging.inc" }}
worker "rspamd_proxy" {{
  bind_socket = "{dir}/run/milter.sock mode=0666";
  milter = yes;
  timeout = 120s;
  upstream "local" {{ default = yes; self_scan = yes; }}
  count = 1;
}}
"""
RSPAMD_MODULES = {
    "rbl": "rbls {{ {lists} }}\n",
    "spf": "", "dkim": "", "dmarc": "", "mime_types": "",
    "greylist": 'servers = "{dir}/run/redis.sock"; timeout = 1s;\n',
    "milter_headers": 'use = ["authentication-results"]; skip_local = false;\n',
}


class PostfixRspamd(Postfix):
    """Debian's rspamd as a milter, with those of its modules that do what the others do: SPF, DKIM, DMARC, three lists,
    types of attachments, greylisting (in Redis; of what it suspects only). It scans in its proxy, the cheapest way."""
    PROGRAMS = ["postfix", "rspamd", "redis-server"]
    proof = [r"\bspf=pass", r"\bdkim=pass", r"\bdmarc=pass"]
    lists = True

    def start(self):
        run, db = self.folder("run", "_rspamd"), self.folder("db", "_rspamd")
        local = os.path.join(self.dir, "rspamd")
        for d in ("", "/local.d", "/override.d"):
            os.mkdir(local + d)
        lists = " ".join(f'bench{i} {{ symbol = "BENCH{i}"; rbl = "{l}"; checks = ["from"]; }}'
                         for i, l in enumerate(world.LISTS, 1))
        for module in os.listdir("/etc/rspamd/modules.d"):
            name = module.removesuffix(".conf")
            if name not in RSPAMD_MODULES:
                self.write(f"rspamd/override.d/{module}", "enabled = false;\n")
            elif name == "rbl":  # in place of those that it has
                self.write("rspamd/override.d/rbl.conf", RSPAMD_MODULES[name].format(lists=lists))
            else:
                self.write(f"rspamd/local.d/{module}", RSPAMD_MODULES[name].format(dir=self.dir))
        self.write("rspamd/local.d/groups.conf", 'group "bench" { symbols = { '
                   + " ".join(f'"BENCH{i}" {{ weight = 10; }}' for i in (1, 2, 3)) + " } }\n")
        conf = self.write("rspamd/rspamd.conf", RSPAMD_CONF.format(dir=self.dir, log=run))
        self.run("redis-server", "--port", "0", "--unixsocket", run + "/redis.sock", "--unixsocketperm", "777", "--save", "",
                 "--dir", run, user="_rspamd")
        listens(run + "/redis.sock")
        self.run("rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", conf, f"--var=LOCAL_CONFDIR={local}",
                 f"--var=DBDIR={db}", f"--var=RUNDIR={run}", f"--var=LOGDIR={run}")
        listens(run + "/milter.sock")
        super().start(main=f"smtpd_milters = unix:{run}/milter.sock\nmilter_protocol = 6\n"
                      "milter_mail_macros = i {mail_addr} {client_addr} {client_name} {auth_authen}\n")


# In the order of the table: the first is what all are compared with.
ALL = {"postfix": Postfix, "postfix-filtered": PostfixFiltered, "postfix-rspamd": PostfixRspamd, "mr": Mr,
       "mr-tcpserver": MrTcpserver, "mr-gateway": MrGateway, "mr-gw-tcpserver": MrGatewayTcpserver,
       "mr-gw-tcp-static": MrGatewayTcpserverStatic}


def spec_filters():
    return sorted(set(re.findall(r"\bmr-\w+", SPEC)))
