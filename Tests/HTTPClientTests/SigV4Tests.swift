import Basics
import Foundation
import Testing

@testable import HTTPClient

/// The signer against AWS' public suite (Vectors/aws4_testsuite, Apache 2.0) and against what it signs here.
@Suite struct SigV4Tests {
    private static let time: Int64 = 1_440_938_160
    private static let signer = SigV4(
        credentials: AWSCredentials(
            accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1", service: "service")

    /// A folder of the suite, with the texts of its files by their endings.
    struct Vector: Sendable {
        var name: String
        var files: [String: String]

        static func all() throws -> [Vector] {
            let root = try #require(Bundle.module.url(forResource: "Vectors/aws4_testsuite", withExtension: nil))
            let paths = try #require(FileManager.default.enumerator(atPath: root.path)).compactMap { $0 as? String }
            return try paths.filter { $0.hasSuffix(".req") }.sorted().map { path in
                var files: [String: String] = [:]
                for ending in ["req", "creq", "sts", "authz"] {
                    let file = root.appending(path: path.dropLast("req".count) + ending)
                    files[ending] = try String(contentsOf: file, encoding: .utf8)
                        .replacingOccurrences(of: "\r\n", with: "\n")
                }
                return Vector(name: path, files: files)
            }
        }

        /// The request without what the signer adds, and the token that it carried.
        func request() throws -> (request: SigV4.Request, token: String?) {
            let text = try #require(files["req"])
            let halves = text.components(separatedBy: "\n\n")
            var lines = halves[0].components(separatedBy: "\n")
            let words = lines.removeFirst().components(separatedBy: " ")
            let target = words.dropFirst().dropLast().joined(separator: " ")
            let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            var headers: [SigV4.Request.Header] = []
            for line in lines where !line.isEmpty {
                if line.hasPrefix(" ") {
                    headers[headers.count - 1].value += "\n" + line
                } else {
                    let colon = try #require(line.firstIndex(of: ":"))
                    headers.append((String(line[..<colon]), String(line[line.index(after: colon)...])))
                }
            }
            // Of one request the token is known by its canonical form alone.
            let canonical = try #require(files["creq"]).components(separatedBy: "\n")
            let token = canonical.first { $0.hasPrefix("x-amz-security-token:") }?
                .dropFirst("x-amz-security-token:".count)
            headers.removeAll { ["X-Amz-Date", "X-Amz-Security-Token"].contains($0.name) }
            let request = SigV4.Request(
                method: words[0], path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "",
                headers: headers, body: Array(halves.dropFirst().joined(separator: "\n\n").utf8))
            return (request, token.map(String.init))
        }
    }

    @Test func thePublicSuiteIsSigned() throws {
        let vectors = try Vector.all()
        #expect(vectors.count == 34)
        for vector in vectors {
            let (request, token) = try vector.request()
            var signer = Self.signer
            signer.credentials.sessionToken = token
            let added = signer.headers(for: request, at: Self.time)
            var signed = request
            signed.headers += added.filter { $0.name != "authorization" }
            let canonical = SigV4.canonical(signed)
            #expect(canonical == vector.files["creq"], "\(vector.name)")
            #expect(signer.stringToSign(canonical, at: Self.time) == vector.files["sts"], "\(vector.name)")
            #expect(added.last?.value == vector.files["authz"], "\(vector.name)")
        }
    }

    @Test func anARNInAPathIsEncodedTwiceForTheSignature() {
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af/invocations"
        let canonical = SigV4.canonical(.init(method: "POST", path: path, headers: [("host", "a")]))
        #expect(
            canonical.contains("/functions/arn%253Aaws%253Alambda%253Aeu-west-1%253A123456789012%253Afunction%253Af/"))
    }

    @Test func aPathOfStorageIsSignedAsItIsSent() {
        let request = SigV4.Request(method: "PUT", path: "/b/a%3Ab/../c", headers: [("host", "a")])
        #expect(SigV4.canonical(request, isPathEncoded: true).hasPrefix("PUT\n/b/a%3Ab/../c\n"))
    }

    @Test(arguments: [
        (0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_440_938_160, "20150830T123600Z"),
        (4_107_542_399, "21000228T235959Z"), (4_107_542_400, "21000301T000000Z"), (1_735_689_599, "20241231T235959Z"),
    ]) func aTimeIsWritten(_ seconds: Int64, _ text: String) {
        #expect(Timestamp.basic(seconds) == text)
        var dashed = Array(text)
        for (at, mark) in [(4, "-"), (7, "-"), (13, ":"), (16, ":")] { dashed.insert(Character(mark), at: at) }
        #expect(Timestamp.parse(String(dashed)) == seconds)
    }

    @Test(arguments: [
        "", "2015-08-30", "2015-08-30T12:36:00+02:00", "2015-13-30T12:36:00Z", "2015-08-30T12:36:00.Z!",
        "2015-08-30T25:36:00Z", "2015-08-30 12:36:00Z", "2015-08-30T12:3a:00Z", "2015-08-30T12:36:00,5Z",
    ]) func whatIsNoTimeIsNotRead(_ text: String) {
        #expect(Timestamp.parse(text) == nil)
    }

    @Test func aFractionOfASecondIsDropped() {
        #expect(Timestamp.parse("2015-08-30T12:36:00.789Z") == 1_440_938_160)
    }

    @Test func credentialsHideTheirSecrets() {
        let text = "\(AWSCredentials(accessKeyId: "AKID", secretAccessKey: "hush", sessionToken: "quiet"))"
        #expect(text == "AKID…")
    }
}
