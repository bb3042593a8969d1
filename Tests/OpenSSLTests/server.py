"""A TLS server on a free loopback port, one connection after the other: server.py MODE KEY CERTIFICATE.

It prints "port N", then for each connection "name NAME" (the server name asked for, or "-"), and how the client ended:
"end" (by TLS's own end), "cut" (without it), "refused" (no handshake came about), each on a line.
"""
import socket
import ssl
import sys

mode, key, certificate = sys.argv[1:]


def say(line):
    print(line, flush=True)


def name_asked(connection, name, context):
    say("name " + (name or "-"))


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
if mode == "tls1.1":
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
if mode == "tls1.2":
    context.maximum_version = ssl.TLSVersion.TLSv1_2
context.load_cert_chain(certificate, key)
context.sni_callback = name_asked


def serve(raw):
    if mode == "vanish":
        raw.recv(65536)
        return
    if mode == "silent":
        while raw.recv(65536):
            pass
        return
    if mode == "plain":
        raw.sendall(b"220 this is no TLS\r\n")
        while raw.recv(65536):
            pass
        return
    with context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False) as stream:
        if mode == "truncate":
            stream.sendall(b"half a sen")
            raw_end = socket.socket(fileno=stream.detach())
            raw_end.shutdown(socket.SHUT_WR)
            while raw_end.recv(65536):
                pass
            raw_end.close()
            return
        if mode == "bye":
            stream.sendall(b"bye")
            stream.unwrap()
            say("end")
            return
        if mode == "count":
            count = 0
            while data := stream.recv(65536):
                count += len(data)
            stream.sendall(b"%d" % count)
            stream.unwrap()
            say("end")
            return
        while data := stream.recv(65536):
            stream.sendall(data)
        say("end")


listener = socket.create_server(("127.0.0.1", 0))
say("port %d" % listener.getsockname()[1])
while True:
    raw, _ = listener.accept()
    try:
        serve(raw)
    except ssl.SSLEOFError:
        say("cut")
    except ssl.SSLError as error:
        say("refused " + str(error))
    except OSError:
        say("cut")
    finally:
        raw.close()
