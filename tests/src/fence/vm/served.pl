# The service of the story: tells every caller the boot it runs in and its process.
use strict;
use warnings;
use IO::Socket::INET;

open(my $file, '<', '/proc/sys/kernel/random/boot_id') or die "no boot id: $!";
chomp(my $boot = <$file>);
my $socket = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die "listen: $!";
while (my $caller = $socket->accept) {
    print $caller "$boot $$\n";
    close($caller);
}
