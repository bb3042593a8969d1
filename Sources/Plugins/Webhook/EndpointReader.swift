import Basics
import HTTPClient
import JSONBytes
import PluginHTTP
import PluginKit
import PluginWire

/// Reads one `[[config.endpoints]]`.
struct EndpointReader {
    private static let known =
        [
            "name", "url", "secret", "keys", "types", "channels", "start", "order", "headers", "concurrency",
            "allow_private",
            "timeout", "body", "source", "template", "rate", "burst", "via_proxy", "unsigned",
        ] + TLSSettingsReader.keys
    private static let later = [
        "batch", "health",
    ]
    /// Headers of one endpoint at most.
    static let maxHeaders = 32
    /// A header's value at most, in bytes.
    static let maxHeaderValue = 4096

    private var table: ConfigurationTable
    /// Why its URL is refused, which costs this endpoint its place but stops no other.
    private(set) var refusal: EndpointURL.Refusal?
    /// All else that is wrong.
    var problems: [PluginMessage.Problem] { table.problems }

    init(_ json: JSON, path: String) {
        table = ConfigurationTable(json, path: path, known: Self.known, later: Self.later)
    }

    /// The endpoint, or nil with ``problems`` or a ``refusal``.
    /// - Parameter now: Unix time in seconds, by which keys are judged.
    mutating func read(_ json: JSON, now: Int64) -> Endpoint? {
        let name = table.queueName(of: "endpoint")
        let filter = AddressFilter(leave: leave())
        var url: EndpointURL?
        if let text = table.required("url", "give where events are posted to") {
            do throws(EndpointURL.Refusal) { url = try EndpointURL(text, filter: filter) } catch { refusal = error }
        }
        let (types, channels) = (table.eventTypes(), table.channels())
        let body = BodyReader.read(&table, channels: channels)
        let signer = SignerReader.read(&table, now: now, isRequired: body?.isSigned ?? false)
        let (start, order) = (table.queueStart(), table.queueOrder())
        let headers = headers()
        let concurrency = table.concurrency()
        let rate = rate()
        var limits = TimeLimits()
        limits.all = table.duration("timeout", in: ConfigurationTable.timeouts) ?? limits.all
        let proxy = proxy(filter)
        let tls = TLSSettingsReader.read(&table, scheme: url?.scheme)
        guard problems.isEmpty, let name, let url, let signer, let body else { return nil }
        return Endpoint(
            name: name, url: url, signer: signer, body: body, types: types, channels: channels, start: start,
            order: order,
            headers: headers, concurrency: concurrency, rate: rate, filter: filter, limits: limits, proxy: proxy,
            tls: tls,
            fingerprint: EndpointFingerprint.of(json))
    }

    private mutating func leave() -> AddressFilter.Leave {
        guard let value = table.value("allow_private") else { return .none }
        if let all = value.bool { return all ? .all : .none }
        guard let elements = value.array else {
            table.fail("allow_private", "true, false or a list of address blocks is expected")
            return .none
        }
        var blocks: [AddressBlock] = []
        for (i, element) in elements.enumerated() {
            if let block = element.string.flatMap({ AddressBlock($0) }) {
                blocks.append(block)
            } else {
                table.fail("allow_private[\(i)]", "an address block such as 10.0.0.0/8 is expected")
            }
        }
        return blocks.isEmpty ? .none : .blocks(blocks)
    }

    private mutating func proxy(_ filter: AddressFilter) -> ProxyURL? {
        guard let text = table.string("via_proxy") else { return nil }
        do throws(ProxyURL.Refusal) { return try ProxyURL(text, filter: filter) } catch {
            table.fail("via_proxy", "\(error)")
            return nil
        }
    }

    private mutating func rate() -> RequestRate? {
        let burst = table.int("burst", in: RequestRate.bursts)
        guard let value = table.value("rate") else {
            if burst != nil { table.fail("burst", "this belongs to 'rate'") }
            return nil
        }
        let rate =
            value.string.map { RequestRate($0, burst: burst) }
            ?? value.double.flatMap { RequestRate(perSecond: $0, burst: burst) }
        if rate == nil {
            table.fail(
                "rate", "requests a second as 5 or \"5/s\", or a minute as \"30/m\", from 1/m to 10000/s, are expected")
        }
        return rate
    }

    private mutating func headers() -> [String] {
        guard let value = table.value("headers") else { return [] }
        guard let members = value.members, members.count <= Self.maxHeaders else {
            table.fail("headers", "a table of at most \(Self.maxHeaders) headers is expected")
            return []
        }
        var lines: [String] = []
        for member in members {
            let key = "headers.\(member.key)"
            if !Self.isHeaderName(member.key) {
                table.fail(key, "this is no name of a header")
            } else if Self.isOwn(member.key.lowercased()) {
                table.fail(key, "this header is the plugin's own")
            } else if let text = member.value.string, !text.isEmpty, PaddedText.isPadded(text) {
                table.fail(key, PaddedText.problem)
            } else if let text = member.value.string, Self.isHeaderValue(text) {
                lines.append("\(member.key): \(text)")
            } else {
                // The value may be a secret, so it is not quoted.
                table.fail(key, "a text of 1 to \(Self.maxHeaderValue) bytes without control characters is expected")
            }
        }
        return lines
    }

    /// The headers that libcurl or the signature answers for.
    private static func isOwn(_ name: String) -> Bool {
        name.hasPrefix("webhook-")
            || [
                "host", "content-type", "content-length", "transfer-encoding", "connection", "expect", "te", "trailer",
                "upgrade", "keep-alive", "user-agent", "accept-encoding",
            ].contains(name)
    }

    /// A token (RFC 9110, section 5.6.2).
    private static func isHeaderName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 128
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
                    || "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
    }

    private static func isHeaderValue(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= maxHeaderValue && !text.utf8.allSatisfy { $0 == 0x20 }
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
