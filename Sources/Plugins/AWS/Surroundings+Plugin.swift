import HTTPClient
import PluginKit

extension Surroundings {
    /// Those of this process, which a plugin's manifest describes.
    static let plugin = Surroundings(
        variable: { variable($0) }, file: { read($0) },
        fileProblem: { unreadable($0, because: ConfiguredFile.problem($0)) }, hasManifest: true)
}
