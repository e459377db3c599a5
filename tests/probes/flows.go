// A Go program, which makes its own system calls: flows fetch URL | send ADDRESS:PORT… | look-up NAME…
// | serve ADDRESS:PORT
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const patience = 3 * time.Second

func main() {
	verb, words := os.Args[1], os.Args[2:]
	for _, word := range words {
		said, err := map[string]func(string) (string, error){
			"fetch": fetch, "send": send, "look-up": lookUp, "serve": serve,
		}[verb](word)
		if err != nil {
			said = err.Error()
		}
		fmt.Println(strings.TrimSpace(said))
	}
}

func fetch(url string) (string, error) {
	answer, err := (&http.Client{Timeout: patience}).Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// Datagrams by a connected socket and by one that is not.
func send(to string) (string, error) {
	connected, err := net.Dial("udp", to)
	if err != nil {
		return "", err
	}
	connected.SetDeadline(time.Now().Add(patience))
	if _, err := connected.Write([]byte("connected")); err != nil {
		return "", err
	}
	buffer := make([]byte, 100)
	first, err := connected.Read(buffer)
	if err != nil {
		return "", err
	}
	said := strings.Fields(string(buffer[:first]))[0]
	address, _ := net.ResolveUDPAddr("udp", to)
	single, err := net.ListenUDP("udp", nil)
	if err != nil {
		return "", err
	}
	single.SetDeadline(time.Now().Add(patience))
	if _, _, err := single.WriteMsgUDP([]byte("sendmsg"), nil, address); err != nil {
		return "", err
	}
	if first, err = single.Read(buffer); err != nil {
		return "", err
	}
	return said + " " + strings.Fields(string(buffer[:first]))[0], nil
}

func lookUp(name string) (string, error) {
	limit, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(limit, name)
	return strings.Join(addresses, " "), err
}

// Answers one request.
func serve(at string) (string, error) {
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return "", err
	}
	fmt.Println("ready")
	peer, err := listener.Accept()
	if err != nil {
		return "", err
	}
	defer peer.Close()
	fmt.Fprintln(peer, "hello")
	return peer.RemoteAddr().String(), nil
}
