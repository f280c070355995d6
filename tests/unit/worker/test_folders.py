"""Work folders are removed, and never those of somebody who still works."""

from pathlib import Path

from video_manager.worker.folders import WorkFolders


async def test_a_folder_lives_as_long_as_its_work(tmp_path: Path) -> None:
    folders = WorkFolders(tmp_path / "work")
    async with folders.open("v1.1.render/../x") as folder:
        assert folder.is_dir()
        assert folder.is_relative_to(tmp_path / "work")
        (folder / "file").write_text("x")
        assert list(folder.iterdir()) == [folder / "file"]
        assert await WorkFolders(tmp_path / "work").sweep() == 0
        assert folder.is_dir()
    assert list((tmp_path / "work").iterdir()) == []


async def test_abandoned_folders_are_swept(tmp_path: Path) -> None:
    left = tmp_path / "v1.1.render-abc"
    (left / "work").mkdir(parents=True)
    (left / ".owner").touch()
    assert await WorkFolders(tmp_path).sweep() == 1
    assert not left.exists()


async def test_sweeping_nothing_is_fine(tmp_path: Path) -> None:
    assert await WorkFolders(tmp_path / "nowhere").sweep() == 0
