import CrowbarCore

// What plugins' own folders take of the disk.
extension PluginHost {
    /// The part of the time that is spent looking, at most: one in so many.
    private static let share: Int64 = 10

    /// Looks at the folder of each plugin again and again until cancelled; what is over its limit is stopped.
    func watchFolders() async {
        var wait: Int64
        repeat {
            let began = environment.now()
            for runtime in runtimes { await runtime.measureFolder() }
            wait = max(environment.sessionLimits.folder, (environment.now() - began) * Self.share)
        } while (try? await Task.sleep(for: .milliseconds(wait))) != nil
    }
}
