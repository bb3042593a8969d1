import CrowbarHTTP
import Glibc
import Testing

@testable import crowbar

/// `[limits]` in crowbar.toml and the environment.
@Suite struct LimitSettingsTests {
    private static func read(_ toml: String, _ environment: [String: String] = [:]) throws -> MachineTokenRates {
        let reader = ConfigurationReader(environment: environment) { _ in Array(toml.utf8) }
        return try reader.configuration(named: "crowbar.toml").limits
    }

    private static let rates: [(toml: String, environment: [String: String], rates: MachineTokenRates)] = [
        ("", [:], .init()), ("[limits]\n", [:], .init()),
        ("[limits]\ncommands_per_second = 5", [:], .init(commands: .init(perSecond: 5, burst: 50))),
        (
            "[limits]\ncommands_per_second = 5\ncommands_burst = 1\nviews_per_second = 1000000", [:],
            .init(commands: .init(perSecond: 5, burst: 1), views: .init(perSecond: 1_000_000, burst: 1_000_000))
        ),
        (
            "[limits]\nviews_per_second = 5", ["CROWBAR_LIMITS_VIEWS_BURST": "7"],
            .init(views: .init(perSecond: 5, burst: 7))
        ),
        (
            "", ["CROWBAR_LIMITS_COMMANDS_PER_SECOND": "3"], .init(commands: .init(perSecond: 3, burst: 30))
        ),
    ]

    @Test(arguments: rates.indices) func ratesAreRead(_ row: Int) throws {
        #expect(try Self.read(Self.rates[row].toml, Self.rates[row].environment) == Self.rates[row].rates)
    }

    private static let mistakes: [(toml: String, environment: [String: String], error: String)] = [
        ("limits = 5", [:], "crowbar.toml:1: limits: must be a table"),
        ("[limits]\ncommands_per_second = 0", [:], "must be a whole number from 1 to 1000000"),
        ("[limits]\nviews_burst = \"5\"", [:], "crowbar.toml:2: limits.views_burst: must be a whole number"),
        ("[limits]\nviews_burst = 5", [:], "has no effect without 'views_per_second'"),
        (
            "[limits]\ncomands_per_second = 5", [:],
            "crowbar.toml:2: limits.comands_per_second: unknown key; did you mean 'commands_per_second'?"
        ),
        ("", ["CROWBAR_LIMITS_VIEWS_PER_SECOND": "many"], "environment: CROWBAR_LIMITS_VIEWS_PER_SECOND: must be a"),
        ("", ["CROWBAR_LIMITS_COMMANDS_BURST": "5"], "environment: CROWBAR_LIMITS_COMMANDS_BURST: has no effect"),
    ]

    @Test(arguments: mistakes.indices) func mistakesAreNamed(_ row: Int) {
        let (toml, environment, expected) = Self.mistakes[row]
        do {
            let rates = try Self.read(toml, environment)
            Issue.record("\(rates) was read")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
        }
    }

    /// The real programs: `check` names a mistake, and SIGHUP changes the rates of a running server.
    @Test func ratesAreCheckedAndReloaded() throws {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        let toml = "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n"
        folder.write("crowbar.toml", toml + "[limits]\ncommands_per_second = -1\n")
        let check = folder.crowbar("check")
        #expect(
            check.status == 1 && check.error.contains("crowbar.toml:5: limits.commands_per_second"), "\(check.error)")
        folder.write("crowbar.toml", toml)
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        #expect(folder.crowbar("user", "add", "ann").status == 0)
        let token = folder.crowbar("token", "ann").output.split(separator: "\n").first.map(String.init) ?? ""
        func post(_ count: Int) -> [String] {
            (0..<count).map { _ in
                folder.program(
                    "curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %header{retry-after}", "-H",
                    "Authorization: Bearer \(token)", "-d", "{}", "http://127.0.0.1:\(server.port)/api/commands"
                ).output
            }
        }
        #expect(post(4) == ["422 ", "422 ", "422 ", "422 "], "a machine token has no limit")
        folder.write("crowbar.toml", toml + "[limits]\ncommands_per_second = 1\ncommands_burst = 1\n")
        kill(server.pid, SIGHUP)
        #expect(folder.poll { folder.read("serve.err").contains("nothing in it needs a restart") })
        let limited = post(20)
        #expect(limited.first == "422 " && limited.contains("429 1"), "\(limited)")
    }
}
