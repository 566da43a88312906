/** Three examples for each command: in its help, and in the man page. A test reads each of them. */

export type Example = readonly [typed: string, does: string]

export const examples: Readonly<Record<string, readonly Example[]>> = {
  serve: [
    ['yodel serve', 'on tcp://127.0.0.1:7007, only for this machine'],
    ['yodel serve :7007 udp://:7007 ws://:8080 --dashboard', 'three transports, and a page'],
    ['yodel serve :7007 --fault delay=50ms:10%', '10 % of the clients get their echoes 50 ms late'],
  ],
  connect: [
    ['yodel connect', 'type a line, and see its echo'],
    ['yodel connect tls://host:7443 --insecure', 'over TLS, whatever its certificate'],
    ['yodel connect unix:/tmp/echo -v', 'say when it is connected'],
  ],
  flood: [
    ['yodel flood', 'as fast as it goes, until Ctrl-C'],
    ["yodel flood :7007 'ping' -q 10 -z 1m", 'ten a second, for a minute'],
    ['yodel flood udp://host:7007 -c 4 -q 1k', 'datagrams over four sockets'],
  ],
  bench: [
    ["yodel bench :7007 -c 50 -q 5k --expect 'p99<5ms'", 'a fixed rate, and an objective'],
    ["yodel bench :7007 --find-max 'p99<5ms'", 'the highest rate at which this holds'],
    ["yodel bench :7101 --against :7102 --fail-if 'p99>+20%'", 'is :7101 slower than :7102?'],
  ],
  check: [
    ['yodel check host:7007', 'ask everything'],
    ["yodel check host:7007 --expect 'half-close=ok' -o check.xml", 'a gate for CI'],
    ['yodel check wss://host/echo --only ws,latency', 'only two questions'],
  ],
  agent: [
    ['yodel agent', 'wait at the broker of this machine'],
    ['yodel agent mqtts://boss:8883 --allow tcp://10.0.0.5:7000', 'send only to that address'],
    ['yodel agent --max-rate 10k --once', 'one share, of at most 10,000 messages per second'],
  ],
  agents: [
    ['yodel agents', 'at the broker of this machine'],
    ['yodel agents --broker mqtts://boss:8883', 'at another one'],
    ['yodel agents --json', 'for programs'],
  ],
  ctl: [
    ['yodel ctl connections --sort idleMs', 'which clients are served, and which wait'],
    ['yodel ctl faults set delay=50ms:10%', 'misbehave from now on'],
    ['yodel ctl --url http://127.0.0.1:7071 drain', 'exit when the clients have gone'],
  ],
  report: [
    ['yodel report run.json', 'as text'],
    ['yodel report run.json -o run.html', 'a page to look at'],
    ['yodel report rounds.json -o rounds.md', 'a summary for CI'],
  ],
  merge: [
    ['yodel merge part-1.json part-2.json', 'the result of both'],
    ['yodel merge part-*.json -o all.json', 'saved, too'],
    ['yodel merge part-*.json --json', 'for programs'],
  ],
  compare: [
    ['yodel compare rounds.json', 'whether the two sides differ'],
    ["yodel compare rounds.json --fail-if 'p99>+20%'", 'exit 1 if they show it'],
    ['yodel compare before.json after.json', 'figures side by side, without a claim'],
  ],
  'compare-engines': [
    ['yodel compare-engines', 'every model on this machine'],
    ['yodel compare-engines --connections 200 --rounds 5', 'with more clients'],
    ['yodel compare-engines --models node,uring', 'only two models'],
  ],
  completion: [
    ['source <(yodel completion bash)', 'for this shell; in ~/.bashrc for every shell'],
    ['source <(yodel completion zsh)', 'the same for zsh, after compinit'],
    ['yodel completion fish > ~/.config/fish/completions/yodel.fish', 'for every fish'],
  ],
  man: [
    ['yodel man | man -l -', 'look at it'],
    ['yodel man > yodel.1', 'keep it'],
    ['yodel man | groff -man -Tpdf > yodel.pdf', 'on paper'],
  ],
}
