import Foundation
import PackagePlugin

/// Runs `PageEmbedder` before CrowbarPage and CrowbarHTTP are compiled, if a file of the page or the API's document is
/// newer than the generated source.
@main struct EmbedPageFiles: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        if target.name == "CrowbarHTTP" { return [try document(context)] }
        let folder = context.package.directoryURL.appending(path: "Sources/CrowbarPage/Files")
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedFiles.swift")
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: [.isRegularFileKey])
        let inputs = (files?.compactMap { $0 as? URL } ?? []).filter {
            (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true
        }
        return [
            .buildCommand(
                displayName: "Embed the files of the page", executable: try context.tool(named: "PageEmbedder").url,
                arguments: [folder.path, output.path],
                inputFiles: inputs.sorted { $0.path < $1.path }, outputFiles: [output])
        ]
    }

    private func document(_ context: PluginContext) throws -> Command {
        let file = context.package.directoryURL.appending(path: "Sources/CrowbarHTTP/openapi.json")
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedDocument.swift")
        return .buildCommand(
            displayName: "Embed the API's document", executable: try context.tool(named: "PageEmbedder").url,
            arguments: ["--document", file.path, output.path], inputFiles: [file], outputFiles: [output])
    }
}
