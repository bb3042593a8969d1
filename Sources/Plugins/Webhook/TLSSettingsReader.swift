import OpenSSL
import PluginKit

/// Reads an endpoint's `ca_file`, `client_cert`, `client_key` and `min_tls`, and tries the files.
enum TLSSettingsReader {
    /// The keys.
    static let keys = ["ca_file", "client_cert", "client_key", "min_tls"]

    /// Reads them out of the endpoint's table, where problems are noted.
    /// - Parameter scheme: The URL's; nil where that is refused.
    static func read(_ table: inout ConfigurationTable, scheme: String?) -> TLSSettings {
        var settings = TLSSettings()
        if scheme == "http", let key = keys.first(where: { table.value($0) != nil }) {
            table.fail(key, "this is of use with an https URL only")
        }
        settings.caFile = file("ca_file", &table)
        settings.clientCert = file("client_cert", &table)
        settings.clientKey = file("client_key", &table)
        if let caFile = settings.caFile {
            do throws(TLSError) { _ = try TLSClientContext(caFile: caFile) } catch { table.fail("ca_file", "\(error)") }
        }
        if let clientCert = settings.clientCert, table.value("client_key") == nil || settings.clientKey != nil {
            do throws(TLSError) {
                try TLSClientIdentity(certificate: clientCert, key: settings.clientKey).check()
            } catch { table.fail("client_cert", "\(error)") }
        }
        if table.value("client_key") != nil, table.value("client_cert") == nil {
            table.fail("client_key", "give the certificate it belongs to as 'client_cert'")
        }
        if let text = table.string("min_tls") {
            if let minimum = TLSSettings.Minimum(rawValue: text) {
                settings.minimum = minimum
            } else {
                table.fail("min_tls", "\"1.2\" or \"1.3\" is expected")
            }
        }
        return settings
    }

    /// A path that can be read; nil where it is left out or, with a problem, cannot.
    private static func file(_ key: String, _ table: inout ConfigurationTable) -> String? {
        guard let path = table.string(key) else { return nil }
        // The text may be the file's content, given by { file = … } in error: then it is a secret, and not quoted.
        guard !path.contains("\n") else {
            table.fail(key, "the path of a PEM file is expected, not its content")
            return nil
        }
        if let problem = ConfiguredFile.problem(path) {
            table.fail(key, problem)
            return nil
        }
        return path
    }
}
