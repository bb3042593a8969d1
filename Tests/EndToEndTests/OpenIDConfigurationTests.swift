import Identity
import OpenID
import Settings
import Testing

@testable import crowbar

/// `[auth.oidc]` as values: what is read, and each mistake with its file, line, key and reason.
@Suite struct OpenIDConfigurationTests {
    private static let good = """
        [auth.oidc]
        issuer = "https://accounts.example.org"
        client_id = "crowbar"
        """
    private static let jwks =
        #"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#
    private static let files = [
        "oidc.secret": "hunter2\n", "ca.pem": "x", "empty": "", "jwks.json": jwks, "bad.json": "{}",
    ]

    private static func reader(_ toml: String, folder: String = "") -> ConfigurationReader {
        ConfigurationReader(environment: [:]) { path in
            if path == folder + "crowbar.toml" { return Array(toml.utf8) }
            return files[String(path.dropFirst(folder.count))].map { Array($0.utf8) }
        }
    }

    private static func settings(_ toml: String) throws -> OpenIDSettings {
        try #require(try reader(toml).configuration(named: nil).openID)
    }

    @Test func theUsualValues() throws {
        #expect(try Self.reader("[auth]\nanonymous_read = true").configuration(named: nil).openID == nil)
        let settings = try Self.settings(Self.good)
        #expect(settings.rules.issuer == "https://accounts.example.org")
        #expect(settings.rules.clientId == "crowbar")
        #expect(settings.clientSecret == nil && settings.caFile == nil && settings.endpoints == nil)
        #expect(settings.label == "Single sign-on" && settings.scopes == "openid profile")
        #expect(settings.session == 43_200_000 && !settings.syncsNames)
        #expect(
            settings.redirects == ["http://localhost:8080/", "http://127.0.0.1:8080/", "http://[::1]:8080/"])
        let named = try Self.settings("[http]\nhosts = [\"a.example\", \"b.example\"]\n" + Self.good)
        #expect(named.redirects == ["https://a.example/", "https://b.example/"])
    }

    @Test func everyKeyIsRead() throws {
        let settings = try Self.settings(
            Self.good + """

                client_secret = { file = "oidc.secret" }
                label = "Company account"
                redirect = ["https://chat.example.org/"]
                scopes = "openid email"
                name_claim = "nickname"
                sync_name = true
                groups_claim = "cognito:groups"
                admin_group = "crowbar-admins"
                required_group = "staff"
                audience = ["api"]
                session = "1h"
                ca_file = "ca.pem"
                jwks = "jwks.json"
                authorize = "https://accounts.example.org/authorize"
                token = "http://localhost:5000/token"
                """)
        #expect(settings.clientSecret == ClientSecret("hunter2"))
        #expect(settings.label == "Company account")
        #expect(settings.redirects == ["https://chat.example.org/"])
        #expect(settings.scopes == "openid email")
        #expect(settings.rules.nameClaim == "nickname" && settings.syncsNames)
        #expect(settings.rules.groupsClaim == "cognito:groups")
        #expect(settings.rules.adminGroup == "crowbar-admins" && settings.rules.requiredGroup == "staff")
        #expect(settings.rules.audiences == ["api"])
        #expect(settings.session == 3_600_000)
        #expect(settings.caFile == "ca.pem")
        #expect(settings.endpoints?.keys == .file("jwks.json"))
        #expect(settings.endpoints.map { "\($0.token)" } == "http://localhost:5000/token")
    }

    @Test func pathsAreThoseOfTheFile() throws {
        let toml = Self.good + "\nclient_secret = { file = \"oidc.secret\" }\nca_file = \"ca.pem\""
        let settings = try Self.reader(toml, folder: "etc/").configuration(named: "etc/crowbar.toml").openID
        #expect(settings?.caFile == "etc/ca.pem")
        #expect(settings?.clientSecret == ClientSecret("hunter2"))
    }

    @Test(arguments: [
        ("isuer = 'x'", "auth.oidc.isuer: unknown key; did you mean 'issuer'?"),
        ("client_secret = 'hunter2'", "client_secret: must be { file = \"PATH\" }"),
        ("client_secret = { file = 'none' }", "client_secret: there is no file 'none'"),
        ("client_secret = { file = 'empty' }", "client_secret: 'empty' must hold one secret"),
        ("client_secret = { env = 'X' }", "client_secret: must be { file = \"PATH\" }"),
        ("label = ''", "label: must be 1 to 512 bytes"), ("label = \"a\\u0007\"", "label: must be 1 to 512 bytes"),
        ("redirect = []", "redirect: must have at least one address"),
        ("redirect = ['https://a.example/', 'chat']", "redirect[1]: must be a URL of https"),
        ("redirect = ['http://chat.example.org/']", "redirect[0]: must be a URL of https"),
        ("scopes = 'profile'", "scopes: must be words with single spaces, 'openid' among them"),
        ("scopes = 'openid  profile'", "scopes: must be words"),
        ("sync_name = 'yes'", "sync_name: must be true or false"),
        ("admin_group = 'a'", "admin_group: has no effect without groups_claim"),
        ("required_group = 'a'", "required_group: has no effect without groups_claim"),
        ("audience = 'api'", "audience: must be an array of strings"), ("session = '12'", "session: must be a time"),
        ("session = '1s'", "session: must be a time"), ("session = '366d'", "session: must be a time"),
        ("session = 'forever'", "session: must be a time"), ("ca_file = 'none'", "ca_file: there is no file 'none'"),
        ("ca_file = 'empty'", "ca_file: 'empty' is empty"), ("jwks = 'jwks.json'", "authorize: is missing"),
        ("authorize = 'https://a.example/'", "jwks: is missing"),
        (
            "jwks = 'bad.json'\nauthorize = 'https://a.example/'\ntoken = 'https://a.example/'",
            "jwks: 'bad.json': 'keys'"
        ),
        ("jwks = 'ftp://a/'\nauthorize = 'https://a.example/'\ntoken = 'https://a.example/'", "jwks: must be a URL"),
        (
            "jwks = 'jwks.json'\nauthorize = 'http://a.example/'\ntoken = 'https://a.example/'",
            "authorize: must be a URL"
        ),
    ])
    func aMistakeIsNamed(line: String, words: String) throws {
        let error = try #require(throws: SettingsError.self) { try Self.settings(Self.good + "\n" + line) }
        #expect("\(error)".contains(words), "\(error)")
        #expect("\(error)".hasPrefix("crowbar.toml:"), "\(error)")
        #expect(!"\(error)".contains("hunter2"))
    }

    @Test(arguments: [
        ("[auth.oidc]\nclient_id = 'x'", "auth.oidc.issuer: is missing"),
        ("[auth.oidc]\nissuer = 'https://a.example'", "auth.oidc.client_id: is missing"),
        ("[auth.oidc]\nissuer = 'http://a.example'\nclient_id = 'x'", "auth.oidc.issuer: must be a URL of https"),
        ("[auth.oidc]\nissuer = 'https://a.example?x'\nclient_id = 'x'", "auth.oidc.issuer: must be a URL of https"),
        ("[auth]\noidc = true", "auth.oidc: must be a table"),
        ("[http]\nlisten = '0.0.0.0:80'\n" + good, "auth.oidc.redirect: is missing, and [http] hosts is too"),
    ])
    func aTableThatIsNotWholeIsRefused(toml: String, words: String) throws {
        let error = try #require(throws: SettingsError.self) { try Self.settings(toml) }
        #expect("\(error)".contains(words), "\(error)")
    }

    @Test func everyMistakeIsFoundAtOnce() throws {
        let toml = Self.good + "\nscopes = 'x'\nsession = 'x'\nlabel = ''"
        let (problems, configuration) = try Self.reader(toml).review(named: nil)
        #expect(problems.count == 3)
        #expect(configuration?.openID != nil)
    }

    @Test func aChangeNeedsARestart() throws {
        let old = try Self.reader(Self.good).configuration(named: nil)
        let new = try Self.reader(Self.good + "\nlabel = 'x'").configuration(named: nil)
        #expect(ServerReload.changedKeys(old, new) == ["auth.oidc"])
    }
}
