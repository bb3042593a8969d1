import OpenSSL
import Testing

@Suite struct HashTests {
    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(
        "FIPS 180-4 examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func digest(text: String, expected: String) {
        #expect(hex(SHA256.hash(text.utf8)) == expected)
        var parts = SHA256()
        for byte in text.utf8 { parts.update([byte]) }
        #expect(hex(parts.digest()) == expected)
    }

    @Test("FIPS 180-4: a million times 'a'")
    func longDigest() {
        let digest = SHA256.hash([UInt8](repeating: 0x61, count: 1_000_000))
        #expect(hex(digest) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test(
        "RFC 4231 test cases",
        arguments: [
            (
                [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
            ),
            (
                [UInt8](repeating: 0xAA, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ])
    func authentication(key: [UInt8], message: [UInt8], expected: String) {
        #expect(hex(HMACSHA256.authenticate(key: key, message)) == expected)
        let half = message.count / 2
        #expect(hex(HMACSHA256(key: key).authenticate(Array(message[..<half]), Array(message[half...]))) == expected)
    }

    @Test func randomBytesDiffer() throws {
        #expect(try SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(try SecureRandom.bytes(0).isEmpty)
        #expect(try SecureRandom.next() != SecureRandom.next())
        // All bits are drawn: that one of 64 is never set in 128 numbers has odds of one in 2^122.
        #expect(try (0..<128).reduce(0) { (seen, _) in try seen | SecureRandom.next() } == UInt64.max)
    }

    @Test(
        "RFC 7914, section 11",
        arguments: [
            (
                "passwd", "salt", 1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                    + "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
            ),
            (
                "Password", "NaCl", 80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
                    + "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"
            ),
        ])
    func derivation(password: String, salt: String, iterations: Int, expected: String) throws {
        let (password, salt) = (Array(password.utf8), Array(salt.utf8))
        let key = PBKDF2.sha256(password: password, salt: salt, iterations: iterations, length: 64)
        #expect(hex(try #require(key)) == expected)
        #expect(PBKDF2.sha256(password: password, salt: salt, iterations: 0, length: 64) == nil)
        #expect(PBKDF2.sha256(password: password, salt: salt, iterations: 1, length: 0) == nil)
    }

    @Test func fingerprints() {
        let digits = String(repeating: "0aF1", count: 16)
        let colons = (0..<32).map { $0 % 2 == 0 ? "0A" : "f1" }.joined(separator: ":")
        #expect(TLSFingerprint("sha256:\(digits)")?.description == "sha256:" + digits.lowercased())
        #expect(TLSFingerprint("SHA256:\(colons)") == TLSFingerprint("sha256:\(digits)"))
        for wrong in [
            "", digits, "sha1:\(digits)", "sha256:\(digits)00", "sha256:+1\(digits.dropFirst(2))", "sha256:xx",
        ] {
            #expect(TLSFingerprint(wrong) == nil)
        }
    }

    @Test func comparison() {
        #expect(ConstantTime.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2]))
        #expect(ConstantTime.areEqual([], []))
    }
}

@Suite struct ScryptTests {
    // RFC 7914, section 12.
    @Test func knownKeys() {
        let first = Scrypt.key(
            password: [], salt: [], cost: 16, blockSize: 1, parallelism: 1, maxMemory: 1 << 20, length: 64)
        #expect(first?.prefix(8) == [0x77, 0xD6, 0x57, 0x62, 0x38, 0x65, 0x7B, 0x20])
        let second = Scrypt.key(
            password: Array("password".utf8), salt: Array("NaCl".utf8), cost: 1_024, blockSize: 8, parallelism: 16,
            maxMemory: 64 << 20, length: 64)
        #expect(second?.prefix(8) == [0xFD, 0xBA, 0xBE, 0x1C, 0x9D, 0x34, 0x72, 0x00])
    }

    @Test func theMemoryHasALimit() {
        func key(_ memory: UInt64) -> [UInt8]? {
            Scrypt.key(
                password: [1], salt: [2], cost: 32_768, blockSize: 8, parallelism: 1, maxMemory: memory, length: 32)
        }
        #expect(key(32 << 20) == nil, "OpenSSL's default refuses these parameters")
        #expect(key(64 << 20) != nil)
        #expect(
            Scrypt.key(password: [], salt: [], cost: 3, blockSize: 1, parallelism: 1, maxMemory: 1 << 20, length: 8)
                == nil)
    }
}
