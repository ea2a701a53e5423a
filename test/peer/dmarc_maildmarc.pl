# dmarc_maildmarc.pl SEED N - N random messages and policies, and what Mail::DMARC makes of them.
#
# Writes into the present folder: zone (a fixture of the DNS module), cases (a line each: author, record of
# the transaction), want (result and disposition of each).  Left out is what the two read differently, by
# decision: sampling (random there), a wrong p with a rua (no policy there), np and t (not known there), names
# under no suffix of the list (the top label is their organisation there), a record that begins v = DMARC1.
use strict;
use warnings;
use Mail::DMARC::PurePerl;

my ($seed, $n) = @ARGV;
srand $seed;
my %zone;    # name => records

package Record;
sub new { my ($class, %h) = @_; return bless {%h}, $class }
sub type { return $_[0]{type} }
sub txtdata { return $_[0]{text} }
our $AUTOLOAD;
sub AUTOLOAD { return 'there.example' }
sub DESTROY { }

package Answer;
sub new { my ($class, @rr) = @_; return bless [@rr], $class }
sub answer { return @{ $_[0] } }

# All names exist: the question whether one does is not part of DMARC proper.
package Resolver;
sub new { return bless {}, shift }
sub send {
    my ($self, $name, $type) = @_;
    my @rr = map { Record->new(type => 'TXT', text => $_) } @{ $zone{ lc $name } || [] };
    return Answer->new($type eq 'TXT' ? @rr : Record->new(type => $type));
}
sub query { return &send }

package main;

sub pick { return $_[ int rand @_ ] }

my @suffixes = qw(com co.uk x.ck y.ck github.io xn--p1ai xn--55qx5d.cn s3.amazonaws.com);
my @orgs = map { ("one.$_", "two.$_") } @suffixes;

sub name { return pick('', '', 'a.', 'b.', 'b.a.') . pick(@_) }

sub policy {
    my @tags = ('p=' . pick(qw(none quarantine reject Reject)));
    push @tags, 'sp=' . pick(qw(none quarantine reject)) if rand() < 0.4;
    push @tags, 'adkim=' . pick(qw(r s S)) if rand() < 0.5;
    push @tags, 'aspf=' . pick(qw(r s S)) if rand() < 0.5;
    push @tags, pick('pct=100', 'fo=1:d', 'rua=mailto:x@one.com', 'x=y') if rand() < 0.5;
    return 'v=DMARC1' . pick(';', '; ', ' ; ') . join(pick(';', '; '), @tags) . pick('', ';');
}

for my $name (@orgs, map { ("a.$_", "b.a.$_") } @orgs) {
    next if rand() < ($name =~ /^[ab][.]/ ? 0.7 : 0.1);
    push @{ $zone{"_dmarc.$name"} }, policy();
    push @{ $zone{"_dmarc.$name"} }, pick(policy(), 'v=spf1 -all', 'v=DMARC2; p=none') if rand() < 0.2;
}
for my $suffix (@suffixes) {
    push @{ $zone{"_dmarc.$suffix"} }, policy() if rand() < 0.3;
}

open my $z, '>', 'zone' or die;
for my $name (sort keys %zone) { print $z qq{$name TXT "$_"\n} for @{ $zone{$name} } }
close $z;

open my $cases, '>', 'cases' or die;
open my $want, '>', 'want' or die;
for (1 .. $n) {
    my $near = pick(@orgs, @orgs, @suffixes);
    my $domain = sub { return rand() < 0.6 ? name($near) : name(@orgs, @suffixes) };
    my $author = name($near);
    my $spf = { scope => 'mfrom', domain => $domain->(), result => pick(qw(pass pass fail softfail none)) };
    my @dkim = map { { domain => $domain->(), selector => 's', result => pick(qw(pass fail)) } } 1 .. int rand 3;
    my $d = Mail::DMARC::PurePerl->new;
    $d->set_resolver(Resolver->new);
    $d->config->{dns}{public_suffix_list} = '/usr/share/publicsuffix/public_suffix_list.dat';
    $d->header_from($author);
    $d->spf([$spf]);
    $d->dkim(\@dkim);
    my $result = $d->validate;
    my $word = eval { $result->published } ? $result->result : 'none';
    printf $want "%s %s\n", $word, lc $result->disposition;
    printf $cases "%s client_address=192.0.2.1|spf_result=%s|spf_domain=%s|dkim_result=%s\n", $author,
        $spf->{result}, $spf->{domain},
        @dkim ? 'pass|dkim_signatures=' . join(' ', map { "$_->{domain}/s/$_->{result}" } @dkim) : 'none';
}
