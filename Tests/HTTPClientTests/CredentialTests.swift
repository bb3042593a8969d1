import JSONBytes
import Testing

@testable import HTTPClient

/// Where credentials come from, and when they are fetched anew.
@Suite struct CredentialTests {
    private static let file = """
        # comment
        [default]
        aws_access_key_id = AKDEFAULT
        aws_secret_access_key=s1=/+
        [ other ]
        ; comment
        aws_session_token = t2
        AWS_ACCESS_KEY_ID = AKOTHER
        aws_secret_access_key = s2
        [sso]
        sso_session = x
        """

    private static func source(
        _ kind: String? = nil, profile: String? = nil, file: String? = nil, _ variables: [String: String],
        files: [String: String] = [:]
    ) -> Result<CredentialSource, CredentialProblem> {
        do throws(CredentialProblem) {
            return .success(
                try CredentialSource(kind, profile: profile, file: file, .of(variables, files: files)))
        } catch { return .failure(error) }
    }

    @Test func theFirstThatThereIsIsTaken() throws {
        let keys = ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S"]
        let home = ["HOME": "/h"]
        let relative = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x?id=1"]
        let files = ["/h/.aws/credentials": Self.file]
        func merged(_ tables: [String: String]...) -> [String: String] {
            tables.reduce(into: [:]) { $0.merge($1) { $1 } }
        }
        #expect(Self.source(nil, merged(keys, home, relative), files: files) == .success(.environment))
        let file = CredentialSource.file(path: "/h/.aws/credentials", profile: "default")
        #expect(Self.source(nil, merged(home, relative), files: files) == .success(file))
        let container = try #require(try ContainerEndpoint(.of(relative)))
        #expect(Self.source(nil, merged(home, relative)) == .success(.container(container)))
        #expect(container.endpoint.url(container.path) == "http://169.254.170.2/v2/x?id=1")
        #expect(Self.source("container", merged(keys, relative)) == .success(.container(container)))
        #expect(
            Self.source("file", profile: "other", file: "/f", keys, files: ["/f": Self.file])
                == .success(.file(path: "/f", profile: "other")))
    }

    @Test(arguments: [("", false), ("\n", false), ("\r\n", false), (" ", true), ("\n\n", true)])
    func aLineBreakBehindAVariableIsNoPartOfIt(_ end: String, isRefused: Bool) throws {
        let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        for name in names {
            var variables = Dictionary(uniqueKeysWithValues: names.map { ($0, "x" + $0) })
            variables[name]? += end
            do throws(CredentialProblem) {
                let found = try CredentialSource.environment.environment(.of(variables))
                #expect([found.accessKeyId, found.secretAccessKey, found.sessionToken] == names.map { "x" + $0 })
                #expect(!isRefused)
            } catch {
                #expect(isRefused && "\(error)".contains(name) && !"\(error)".contains("x" + name), "\(error)")
            }
        }
    }

    @Test(
        arguments: [
            (nil, [:], "there are none"), ("environment", ["AWS_ACCESS_KEY_ID": "A"], "are not set"),
            ("file", ["HOME": "/h"], "'/h/.aws/credentials' cannot be read"), ("container", [:], "are not set"),
            ("container", ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.org/x"], "must be of https"),
            ("container", ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.evil.example/x"], "must be of https"),
            ("container", ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "x"], "is no path"),
        ] as [(String?, [String: String], String)])
    func whatIsNotThereIsSaid(_ kind: String?, _ variables: [String: String], _ text: String) {
        guard case .failure(let problem) = Self.source(kind, variables) else {
            Issue.record("this is no source")
            return
        }
        #expect(problem.message.contains(text), "\(problem.message)")
    }

    @Test(arguments: [
        "http://127.0.0.1:8080/x", "http://localhost/x", "http://[::1]/x", "http://169.254.170.23/v1/credentials",
        "https://example.org/x",
    ]) func aFullURIMayBeLocalOrSecure(uri: String) throws {
        let endpoint = try #require(try ContainerEndpoint(.of(["AWS_CONTAINER_CREDENTIALS_FULL_URI": uri])))
        #expect(endpoint.endpoint.url(endpoint.path) == uri)
    }

    @Test func aProfileIsRead() throws {
        let first = try SharedFile.credentials(in: Array(Self.file.utf8), profile: "default")
        #expect(first == AWSCredentials(accessKeyId: "AKDEFAULT", secretAccessKey: "s1=/+"))
        let other = try SharedFile.credentials(in: Array(Self.file.utf8), profile: "other")
        #expect(other == AWSCredentials(accessKeyId: "AKOTHER", secretAccessKey: "s2", sessionToken: "t2"))
        for profile in ["none", "sso"] {
            #expect(throws: CredentialProblem.self) {
                try SharedFile.credentials(in: Array(Self.file.utf8), profile: profile)
            }
        }
    }

    @Test func aContainersAnswerIsRead() throws {
        let answer = #"{"AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2015-08-30T12:36:00Z"}"#
        #expect(
            try ContainerEndpoint.credentials(in: Array(answer.utf8))
                == AWSCredentials(
                    accessKeyId: "A", secretAccessKey: "S", sessionToken: "T", expiration: 1_440_938_160))
        for bad in ["", "{}", #"{"AccessKeyId":"A","SecretAccessKey":"S","Expiration":"tomorrow"}"#] {
            #expect(throws: CredentialProblem.self) { try ContainerEndpoint.credentials(in: Array(bad.utf8)) }
        }
    }

    @Test func theTokenOfAFileIsReadEachTime() throws {
        let variables = [
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/t", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[::1]/x",
        ]
        let endpoint = try #require(try ContainerEndpoint(.of(variables)))
        let call = try endpoint.call(.of(variables, files: ["/t": "Bearer abc\n"]))
        #expect(call.lines(nil, at: 0).contains("authorization: Bearer abc"))
        #expect(throws: CredentialProblem.self) { try endpoint.call(.of(variables, files: ["/t": "a\r\nb: c"])) }
        let inVariable = [
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer abc\n",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[::1]/x",
        ]
        #expect(try endpoint.call(.of(inVariable)).lines(nil, at: 0).contains("authorization: Bearer abc"))
        #expect(throws: CredentialProblem.self) { try endpoint.call(.of(variables)) }
    }

    @Test func credentialsAreFetchedAnewBeforeTheyEnd() {
        var keeper = CredentialKeeper()
        #expect(keeper.isDue(at: 0) && keeper.usable(at: 0) == nil)
        keeper.start()
        #expect(!keeper.isDue(at: 100) && keeper.due == nil)
        keeper.take(.success(Self.credentials(until: 3600)), at: 0)
        #expect(keeper.due == 2700 && !keeper.isDue(at: 2699) && keeper.isDue(at: 2700))
        #expect(keeper.usable(at: 3569) != nil && keeper.usable(at: 3570) == nil)
        keeper.take(.success(Self.credentials(until: 2800)), at: 2700)
        #expect(keeper.due == 2775)
        keeper.take(.success(Self.credentials(until: nil)), at: 3000)
        #expect(keeper.due == 3300 && keeper.usable(at: 1 << 40) != nil)
    }

    @Test func aFetchThatFailedIsTriedLessAndLessOftenAndTheOldOnesServeOn() {
        var keeper = CredentialKeeper()
        keeper.take(.success(Self.credentials(until: 1000)), at: 0)
        var now: Int64 = 750
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] as [Int64] {
            keeper.take(.failure(CredentialProblem("no")), at: now)
            #expect(keeper.due == now + wait)
            #expect(keeper.problem?.message == "no" && keeper.usable(at: now) != nil)
            now += wait
        }
        keeper.take(.success(Self.credentials(until: 5000)), at: now)
        #expect(keeper.problem == nil)
    }

    @Test func doubtFetchesAnewButNotAllTheTime() {
        var keeper = CredentialKeeper()
        keeper.take(.success(Self.credentials(until: nil)), at: 100)
        keeper.doubt(at: 101)
        #expect(keeper.due == 105)
        keeper.take(.success(Self.credentials(until: nil)), at: 105)
        keeper.doubt(at: 200)
        #expect(keeper.due == 200)
    }

    private static func credentials(until end: Int64?) -> AWSCredentials {
        AWSCredentials(accessKeyId: "A", secretAccessKey: "S", expiration: end)
    }
}

extension Surroundings {
    /// An environment and files of a test's own.
    static func of(_ variables: [String: String], files: [String: String] = [:]) -> Surroundings {
        Surroundings(variable: { variables[$0] }, file: { files[$0].map { Array($0.utf8) } })
    }
}
