import HTTPClient
import Testing

/// OpenSSL's errors as people are shown them.
@Suite struct TLSWordsTests {
    @Test(arguments: [
        (
            "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number",
            "a:1 does not speak TLS; is it an http:// address?"
        ),
        (
            "TLS connect error: error:0A0000C6:SSL routines::packet length too long",
            "a:1 does not speak TLS; is it an http:// address?"
        ),
        (
            "OpenSSL/3.0.19: error:0A00042E:SSL routines::tlsv1 alert protocol version",
            "no TLS with a:1: tlsv1 alert protocol version"
        ),
        (
            "OpenSSL/3.0.19: error:0A000460:SSL routines::tlsv1 alert no application protocol",
            "no TLS with a:1: it does not offer HTTP/1.1 (tlsv1 alert no application protocol); it may speak "
                + "HTTP/2 only: give an address that speaks HTTP/1.1"
        ),
        ("SSL certificate problem: certificate has expired", "SSL certificate problem: certificate has expired"),
        ("SSL connection timeout", "SSL connection timeout"), ("error: a::b", "no TLS with a:1: b"), ("", ""),
    ])
    func whatOpenSSLSays(message: String, shown: String) {
        #expect(TLSWords.text(message, host: "a:1") == shown)
    }

    @Test func aHostThatIsNotKnown() {
        let text = TLSWords.text("error:1:SSL routines::wrong version number", host: nil)
        #expect(text == "the other side does not speak TLS; is it an http:// address?")
    }
}
