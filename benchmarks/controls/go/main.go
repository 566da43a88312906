// TCP echo control in Go: one goroutine per connection, blocking Read and Write on a 64 KiB
// buffer. The runtime's poller parks the goroutine, so the plain loop is the idiom, and the
// blocking Write is the back-pressure. Not io.Copy: from TCP to TCP it uses splice(2) on Linux,
// by way of a pipe: that saves copying large messages, but makes more system calls for small
// ones. Goroutines run on every core; GOMAXPROCS=1 in the environment holds them to one. Go sets
// TCP_NODELAY on every TCP connection itself.
package main

import (
	"fmt"
	"log"
	"net"
	"os"
)

func echo(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if _, werr := conn.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return // io.EOF is the client's FIN; all it sent has been written
		}
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: echo PORT")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go echo(conn)
	}
}
